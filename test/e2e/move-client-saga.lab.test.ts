import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { failure } from '../../workflows/contract/failures.js';
import type { OperationView } from '../../workflows/contract/operation.js';
import type { StepContext } from '../../workflows/contract/step.js';
import { census, traces } from '../support/census.js';
import { noLab } from '../support/lab.js';
import {
  ask,
  containerState,
  moveEnded,
  type MoveWorld,
  noteBodies,
  openMoveWorld,
  startMove,
} from '../support/move-world.js';

type Fault = 'fails after its effect' | 'loses its answer' | 'is cancelled';

interface Plan {
  step: string;
  fault: Fault;
}

const BEFORE_COMMIT = [
  ...['reserve', 'check-host', 'check-database', 'image', 'database', 'files', 'vhost'],
  ...['traffic-off', 'stop', 'dump', 'sums', 'transfer', 'restore', 'compare'],
  ...['maintenance', 'container', 'inside-check'],
];
const AFTER_COMMIT = ['switch', 'live', 'old-vhost', 'clear-target', 'clear-source'];

/** A failure after an act's effect leaves all that one before it would, and more. */
const ROLLED_BACK: Plan[] = [
  ...BEFORE_COMMIT.map((step) => ({ step, fault: 'fails after its effect' as const })),
  ...['image', 'stop', 'transfer', 'container'].map((step) => ({ step, fault: 'is cancelled' as const })),
];
/** Each of these moves the client, so it takes one of its own. */
const GOES_ON: Plan[] = [...['reserve', 'dump', 'transfer', 'restore', 'container'], ...AFTER_COMMIT].map(
  (step) => ({ step, fault: 'loses its answer' }),
);

/** Clients that are moved at the same time: as many as two cores and four followers of one host carry. */
const LANES = 3;

describe('move client on maria, when a step', { skip: noLab, concurrency: LANES }, () => {
  let world: MoveWorld;
  const plans = new Map<string, Plan>();
  const free: number[] = [];
  const names = new Map<number, { old: string; new: string }>();

  before(async () => {
    world = await openMoveWorld({ slot: 92, hostName: 'maria', inject, limits: { forwardRetryMs: 300 } });
    for (let lane = 0; lane < LANES; lane += 1) free.push(await addClient());
  });
  after(() => world?.stop());

  async function addClient(): Promise<number> {
    const { system, source, target, sourceId } = world;
    const subdomain = `sg${names.size}`;
    const { id, operation } = await system.addClient(sourceId, { subdomain });
    assert.match((await system.ended(operation)).state, /^succeeded/);
    const [old, moved] = [source, target].map(({ name }) => `${subdomain}.${name}.example.test`);
    names.set(id, { old: String(old), new: String(moved) });
    return id;
  }

  async function inject(point: 'before' | 'after', step: StepContext): Promise<void> {
    const plan = plans.get(step.subject);
    if (plan?.step !== step.step || step.phase !== 'do' || step.attempt > 1 || step.try > 1) return;
    if (point === 'before' && plan.fault === 'is cancelled')
      await world.system.client.workflow.getHandle(step.subject).cancel();
    if (point !== 'after') return;
    if (plan.fault === 'fails after its effect') throw failure('CommandFailed', 'injected');
    if (plan.fault === 'loses its answer') throw failure('Unavailable', 'injected loss');
  }

  async function move(id: number, plan: Plan): Promise<{ view: OperationView; both: string[] }> {
    const { system, targetId } = world;
    plans.set(`client:${id}`, plan);
    const watch = watchBoth(id);
    const operation = await startMove(system, { id, to: targetId, query: 'on_failure=rollback' });
    const view = await moveEnded(system, operation);
    plans.delete(`client:${id}`);
    return { view, both: await watch() };
  }

  /** Moments at which source and target both served the page itself. */
  function watchBoth(id: number): () => Promise<string[]> {
    const { source, target } = world;
    const name = names.get(id) ?? { old: '', new: '' };
    const both: string[] = [];
    let over = false;
    const done = (async () => {
      while (!over) {
        const [from, to] = await Promise.all([ask(source, name.old), ask(target, name.new)]);
        if (from.status === 200 && to.status === 200) both.push(new Date().toISOString());
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    })();
    return async () => {
      over = true;
      await done;
      return both;
    };
  }

  for (const plan of ROLLED_BACK) {
    it(`${plan.fault}: ${plan.step}: the source serves as before`, async () => {
      const id = free.pop() as number;
      try {
        const { system, source, target, sourceId } = world;
        const { old } = names.get(id) ?? { old: '' };
        const note = `before ${plan.step}`;
        await ask(source, old, { path: '/notes', method: 'POST', body: note });
        const { view, both } = await move(id, plan);
        const end = plan.fault === 'is cancelled' ? 'cancelled' : 'rolled_back';
        assert.deepEqual([view.state, view.leftovers, both], [end, [], []], JSON.stringify(view));
        assert.deepEqual(traces(await census(target), `client${id}`), []);
        assert.equal((await ask(source, old)).status, 200);
        assert.equal(await containerState(source, id), 'running');
        assert.equal((await noteBodies(source, id)).at(-1), note);
        const { body } = await system.call('GET', `/clients/${id}`);
        assert.deepEqual([body['server_id'], body['status']], [sourceId, 'active']);
        for (const host of [source, target]) {
          const left = await host.exec(`ls -A /srv/backup/clients /srv/slipway/moves 2>/dev/null || true`);
          assert.ok(
            !left.stdout.includes(view.id) && !left.stdout.includes(view.id.toLowerCase()),
            left.stdout,
          );
        }
      } finally {
        free.push(id);
      }
    });
  }

  for (const plan of GOES_ON) {
    it(`${plan.fault}: ${plan.step}: the target serves`, async () => {
      const id = await addClient();
      const { source, target, system, targetId } = world;
      const { old, new: name } = names.get(id) ?? { old: '', new: '' };
      await ask(source, old, { path: '/notes', method: 'POST', body: 'kept' });
      const { view, both } = await move(id, plan);
      assert.match(view.state, /^succeeded/, JSON.stringify(view));
      assert.deepEqual(both, []);
      assert.equal((await ask(target, name)).status, 200);
      assert.equal((await ask(source, old)).status, 308);
      assert.deepEqual(await noteBodies(target, id), ['kept']);
      assert.equal(await containerState(source, id), 'exited');
      const { body } = await system.call('GET', `/clients/${id}`);
      assert.deepEqual([body['server_id'], body['status']], [targetId, 'active']);
    });
  }
});
