import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { hostnameOf } from '../../support/client-checks.js';
import {
  assertServes,
  assertSwitched,
  assertWentBack,
  CHANGE_STEPS,
  CHANGE_STEPS_BEFORE_COMMIT,
  change,
  type Changing,
  NEW,
  OLD,
  resetVersion,
} from '../../support/client-version.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { type Watch, watchNeighbour } from '../../support/neighbour.js';
import { goesBack, injectPlanned, type Plan, sagaRows } from '../../support/planned-fault.js';
import { openSystem, type System } from '../../support/system.js';
import { startVisitors } from '../../support/visitors.js';

/** Cases mostly wait for containers. */
const LANES = 4;

for (const { slot, hostName, chosen, cancelled } of [
  {
    slot: 72,
    hostName: 'maria',
    chosen: ['traffic-off', 'stop', 'copy', 'image', 'update', 'start', 'traffic-off-left'],
    cancelled: ['copy', 'update', 'start'],
  },
  // what differs by engine is in these
  { slot: 73, hostName: 'pg', chosen: ['update'], cancelled: ['start'] },
] as const) {
  describe(`switch a client on ${hostName}, when a step`, { skip: noLab, concurrency: LANES }, () => {
    const host = noLab === false ? sharedHost(hostName) : (undefined as never);
    const plans = new Map<string, Plan>();
    let system: System;
    let lanes: Changing[] = [];
    let free: Changing[] = [];
    let watch: Watch;

    before(async () => {
      system = await openSystem({ slot, limits: { forwardRetryMs: 500 }, inject });
      const serverId = await system.addServer(host);
      const made = await Promise.all(Array.from({ length: LANES + 1 }, () => system.addClient(serverId)));
      for (const { operation } of made) {
        const view = await system.ended(operation);
        assert.match(view.state, /^succeeded/, JSON.stringify(view));
      }
      const [neighbour, ...others] = await Promise.all(
        made.map(async ({ id }) => ({ id, hostname: await hostnameOf(system, id) })),
      );
      assert.ok(neighbour);
      watch = watchNeighbour({ address: host.address, hostname: neighbour.hostname });
      lanes = others.map(({ id, hostname }) => {
        const visitors = startVisitors({ address: host.address, hostname });
        return { system, host, id, visitors };
      });
      free = [...lanes];
    });
    after(async () => {
      await watch?.stop();
      await Promise.all(lanes.map(({ visitors }) => visitors.stop()));
      await system?.close();
      assert.deepEqual(watch?.disturbances(), []);
      assert.ok((watch?.asked() ?? 0) > 10);
    });

    function inject(point: 'before' | 'after', step: StepContext): Promise<void> {
      return injectPlanned(point, step, {
        client: system.client,
        planOf: ({ subject }) => plans.get(subject),
      });
    }

    async function inLane(act: (lane: Changing) => Promise<void>): Promise<void> {
      const lane = free.pop() as Changing;
      try {
        await act(lane);
      } finally {
        free.push(lane);
        plans.delete(`client:${lane.id}`);
      }
    }

    // a failure of its last step is only a warning
    for (const { step, fault } of sagaRows(CHANGE_STEPS.slice(0, -1), { chosen, cancelled })) {
      it(`${fault}: ${step}`, () => inLane((lane) => check(lane, { step, fault })));
    }

    async function check(lane: Changing, plan: Plan): Promise<void> {
      plans.set(`client:${lane.id}`, plan);
      const view = await system.ended(await change(lane, `switch/${NEW}`, 'on_failure=rollback'));
      if (goesBack(plan, CHANGE_STEPS_BEFORE_COMMIT))
        return assertWentBack(lane, view, plan.fault === 'is cancelled' ? 'cancelled' : 'rolled_back');
      await assertSwitched(lane, view);
      assert.deepEqual(
        view.steps.map(({ key }) => key),
        CHANGE_STEPS,
      );
      plans.delete(`client:${lane.id}`);
      await resetVersion(lane);
    }

    it('holds with the old version serving, and takes a backup of its own when it is retried', () =>
      inLane(async (lane) => {
        plans.set(`client:${lane.id}`, { step: 'update', fault: 'fails after its effect' });
        const operation = await change(lane, `switch/slipway-sample%3A${NEW}`);
        const held = await system.until(operation, 'hold', ({ state }) => state === 'holding');
        assert.deepEqual([held.hold?.step, held.leftovers], ['update', []]);
        await assertServes(lane, OLD);
        await lane.visitors.written(3);
        await system.call('POST', `/operations/${operation}/retry`, { note: 'mended' });
        await assertSwitched(lane, await system.ended(operation));
        const { body } = await system.call('GET', `/backups?client_id=${lane.id}&per_page=2`);
        const backups = body['data'] as unknown as { kind: string; operation_id: string; path: string }[];
        assert.deepEqual(
          backups.map((backup) => [backup.kind, backup.operation_id]),
          [
            ['change', operation],
            ['change', operation],
          ],
        );
        assert.notEqual(backups[0]?.path, backups[1]?.path);
        await resetVersion(lane);
      }));

    it('of a migrate fails, it goes back alike; undisturbed, the data are migrated', () =>
      inLane(async (lane) => {
        plans.set(`client:${lane.id}`, { step: 'start', fault: 'fails after its effect' });
        const failed = await system.ended(await change(lane, 'migrate', 'on_failure=rollback'));
        await assertWentBack(lane, failed, 'rolled_back');
        plans.delete(`client:${lane.id}`);
        const view = await system.ended(await change(lane, 'migrate'));
        assert.deepEqual([view.state, view.kind], ['succeeded', 'migrate_client']);
        await assertServes(lane, OLD);
      }));

    it('is asked for what cannot be, nothing is done', () =>
      inLane(async (lane) => {
        const refused = async (what: string, expected: [number, string]) => {
          const { status, body } = await system.call('GET', `/clients/${what}`);
          assert.deepEqual([status, body['code']], expected, what);
        };
        await refused(`${lane.id}/switch/1.2-master`, [422, 'invalid_input']);
        await refused(`${lane.id}/switch/other%3A${NEW}`, [422, 'invalid_input']);
        await refused(`${lane.id}/switch/registry.test%2Fslipway-sample%3A${NEW}`, [422, 'invalid_input']);
        await refused(`${lane.id}/switch/--help`, [422, 'invalid_input']);
        await refused(`${lane.id}/switch/9.9-master?plan=true`, [422, 'check_refused']);
        await refused('999999/migrate', [404, 'not_found']);
        const missing = await system.ended(await change(lane, 'switch/9.9-master'));
        await assertWentBack(lane, missing, 'rolled_back');
        assert.ok(!missing.steps.some(({ key }) => key === 'traffic-off'));
      }));
  });
}
