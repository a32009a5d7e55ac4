import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { OperationView } from '../../../workflows/contract/operation/operation.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { census, traces } from '../../support/census.js';
import { noLab } from '../../support/lab.js';
import {
  ask,
  containerState,
  moveEnded,
  type MoveWorld,
  noteBodies,
  openMoveWorld,
  startMove,
  watchBoth,
} from '../../support/move-world.js';
import { goesBack, injectPlanned, type Plan, sagaRows } from '../../support/planned-fault.js';

const BEFORE_COMMIT = [
  ...['reserve', 'check-host', 'check-database', 'image', 'database', 'files', 'vhost'],
  ...['traffic-off', 'stop', 'dump', 'sums', 'transfer', 'restore', 'compare'],
  ...['maintenance', 'container', 'inside-check'],
];
const AFTER_COMMIT = ['switch', 'live', 'old-vhost', 'clear-target', 'clear-source'];

const isBack = (plan: Plan): boolean => goesBack(plan, BEFORE_COMMIT);
const ROWS = sagaRows([...BEFORE_COMMIT, ...AFTER_COMMIT], {
  chosen: ['image', 'stop', 'transfer', 'compare', 'container', 'switch', 'live'],
  cancelled: ['transfer', 'container'],
});

/** Networks and ports for a client of each row: what has moved keeps those of its stopped source. */
const ROOM = { client_pool: '10.215.92.0/22', port_range: '29200-29299' };

/** Clients that are moved at the same time: as many as two cores and four followers of one host carry. */
const LANES = 3;

describe('move client on maria, when a step', { skip: noLab, concurrency: LANES }, () => {
  let world: MoveWorld;
  const plans = new Map<string, Plan>();
  const free: number[] = [];
  let added = 0;
  const names = new Map<number, { old: string; new: string }>();

  before(async () => {
    world = await openMoveWorld({
      ...{ slot: 92, hostName: 'maria', inject, limits: { forwardRetryMs: 300 } },
      ...{ fields: ROOM, sourceFields: ROOM },
    });
    for (let lane = 0; lane < LANES; lane += 1) free.push(await addClient());
  });
  after(() => world?.stop());

  async function addClient(): Promise<number> {
    const { system, source, target, sourceId } = world;
    added += 1;
    const subdomain = `sg${added}`;
    const { id, operation } = await system.addClient(sourceId, { subdomain });
    assert.match((await system.ended(operation)).state, /^succeeded/);
    const [old, moved] = [source, target].map(({ name }) => `${subdomain}.${name}.example.test`);
    names.set(id, { old: String(old), new: String(moved) });
    return id;
  }

  function inject(point: 'before' | 'after', step: StepContext): Promise<void> {
    return injectPlanned(point, step, {
      client: world.system.client,
      planOf: ({ subject }) => plans.get(subject),
    });
  }

  async function move(id: number, plan: Plan): Promise<{ view: OperationView; both: string[] }> {
    const { system, source, target, targetId } = world;
    plans.set(`client:${id}`, plan);
    const name = names.get(id) ?? { old: '', new: '' };
    const watch = watchBoth({ host: source, hostname: name.old }, { host: target, hostname: name.new });
    const operation = await startMove(system, { id, to: targetId, query: 'on_failure=rollback' });
    const view = await moveEnded(system, operation);
    plans.delete(`client:${id}`);
    return { view, both: await watch() };
  }

  for (const plan of ROWS.filter(isBack)) {
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

  // each of these moves the client, so it takes one of its own
  for (const plan of ROWS.filter((row) => !isBack(row))) {
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
