import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { subjectId } from '../../../workflows/contract/operation/ids.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { backupSweepOf } from '../../support/backups.js';
import { census, traces } from '../../support/census.js';
import { hostnameOf } from '../../support/client-checks.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { getPage, type Watch, watchNeighbour } from '../../support/neighbour.js';
import { goesBack, injectPlanned, type Plan, sagaRows } from '../../support/planned-fault.js';
import { openSystem, operationOf, type System } from '../../support/system.js';

const BEFORE_COMMIT = ['find'];
const AFTER_COMMIT = [
  ...[
    'mark',
    'vhost',
    'containers',
    'backup',
    'record-backup',
    'spare',
    'copy',
    'files',
    'database',
    'forget',
  ],
];
const STEPS = [...BEFORE_COMMIT, ...AFTER_COMMIT];
const ROWS = sagaRows(STEPS, {
  chosen: ['backup', 'copy', 'containers', 'database', 'forget'],
  cancelled: ['backup'],
});

describe('delete a client, when a step', { skip: noLab, concurrency: 4 }, () => {
  const host = noLab === false ? sharedHost('maria') : (undefined as never);
  const plans = new Map<string, Plan>();
  let system: System;
  let serverId: number;
  let neighbour: Watch;

  before(async () => {
    system = await openSystem({ slot: 122, limits: { forwardRetryMs: 300 }, inject });
    serverId = await system.addServer(host);
    neighbour = watchNeighbour({ address: host.address, hostname: await hostnameOf(system, await create()) });
  });
  after(async () => {
    await neighbour?.stop();
    await system?.close();
    assert.deepEqual(neighbour?.disturbances(), []);
  });

  function inject(point: 'before' | 'after', step: StepContext): Promise<void> {
    return injectPlanned(point, step, { client: system.client, planOf: ({ subject }) => plans.get(subject) });
  }

  async function create(): Promise<number> {
    const { id, operation } = await system.addClient(serverId);
    assert.match((await system.ended(operation)).state, /^succeeded/);
    return id;
  }

  for (const plan of ROWS) {
    it(`${plan.fault}: ${plan.step}`, async () => {
      const id = await create();
      const hostname = await hostnameOf(system, id);
      plans.set(subjectId('client', id), plan);
      const deleting = operationOf(await system.call('DELETE', `/clients/${id}?on_failure=rollback`));
      const view = await system.ended(deleting);
      plans.delete(subjectId('client', id));
      assert.deepEqual(view.leftovers, []);
      const found = await census(host);
      const archived = found.backups.filter((name) => name.startsWith(`client${id}-`));
      const recorded = await system.call('GET', `/backups?client_id=${id}`);
      if (goesBack(plan, BEFORE_COMMIT)) {
        assert.match(view.state, /^(rolled_back|cancelled)$/);
        assert.equal((await getPage({ address: host.address, hostname })).status, 200);
        assert.deepEqual([archived, recorded.body['total']], [[], 0]);
        return;
      }
      assert.equal(view.state, 'succeeded', JSON.stringify(view));
      assert.deepEqual(
        view.steps.map(({ key }) => key),
        STEPS,
      );
      assert.deepEqual(traces(found, `client${id}`), []);
      // a try that said it had failed made one too, which nothing records: the night removes it
      const tries = plan.step === 'backup' && plan.fault === 'fails after its effect' ? 2 : 1;
      assert.deepEqual([archived.length, recorded.body['total']], [tries, 1]);
      if (tries === 2) {
        await backupSweepOf(system)({ serverId });
        const left = (await census(host)).backups.filter((name) => name.startsWith(`client${id}-`));
        const [kept] = recorded.body['data'] as unknown as { path: string }[];
        assert.deepEqual(left, [kept?.path.split('/').at(-1)]);
      }
      assert.equal((await system.call('GET', `/clients/${id}`)).status, 404);
      const refused = view.decisions.filter(({ ignored }) => ignored === 'past_commit');
      assert.equal(refused.length, plan.fault === 'is cancelled' ? 1 : 0);
    });
  }
});
