import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { clients } from '../../../db/schema/index.js';
import { pollUntil } from '../../../process/poll.js';
import type { OperationView } from '../../../workflows/contract/operation/operation.js';
import { census, traces } from '../../support/census.js';
import { hostnameOf } from '../../support/client-checks.js';
import { assertCopied, environmentOf, fillSource, TARGET_FIELDS } from '../../support/copies.js';
import { startKillableWorker } from '../../support/killable-worker.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { getPage } from '../../support/neighbour.js';
import { EACH_STEP, FAULTS, type Fault, subdomainFor, WHOLE } from '../../support/planned-fault.js';
import { type Answer, openSystem, operationOf } from '../../support/system.js';

/** Each death costs a start of a worker and a missed heartbeat. */
const ENDED_MS = 600_000;

const skip =
  noLab || (!WHOLE && 'kills some forty workers, which takes fifteen minutes: SLIPWAY_TEST_WHOLE=true');

describe('an update, a copy and a delete whose worker dies in each step', { skip }, () => {
  for (const [slot, fault] of [
    [123, FAULTS[4] as Fault],
    [124, FAULTS[5] as Fault],
  ] as const) {
    it(`${fault}: each comes to its end`, async () => {
      const host = sharedHost('maria');
      const system = await openSystem({ slot, worker: false });
      const worker = await startKillableWorker(system);
      const ended = (operation: string): Promise<OperationView> =>
        system.until(operation, 'end', ({ endedAt }) => endedAt !== null, ENDED_MS);
      const rename = (id: number, subdomain: string) =>
        system.database.db.update(clients).set({ subdomain }).where(eq(clients.id, id));
      /** What `start` started on the client; every step of it was begun by a worker that died. */
      async function endedOverDeaths(id: number, start: () => Promise<Answer>): Promise<OperationView> {
        const { body: client } = await system.call('GET', `/clients/${id}`);
        const before = worker.deaths();
        await rename(id, subdomainFor({ step: EACH_STEP, fault }));
        const view = await ended(operationOf(await start()));
        await rename(id, String(client['subdomain']));
        // an operation whose last step is short ends before the death in it
        await pollUntil({
          what: 'a death in each step',
          deadlineMs: 10_000,
          probe: () => worker.deaths() - before >= view.steps.length || undefined,
        });
        assert.equal(worker.deaths() - before, view.steps.length, 'the worker did not die as planned');
        return view;
      }
      try {
        const stage = await system.addServer(host, { stage: '1' });
        const [source, target] = await Promise.all([
          system.addClient(stage),
          system.addClient(stage, TARGET_FIELDS),
        ]);
        for (const { operation } of [source, target])
          assert.match((await ended(operation)).state, /^succeeded/);
        const { id } = target;
        const copying = { system, source: { ...source, host }, target: { ...target, host } };
        await fillSource(system, copying.source);

        const changes = { name: 'Renamed', allowed_ips: '["0.0.0.0/0"]' };
        const updated = await endedOverDeaths(id, () => system.call('PUT', `/clients/${id}`, changes));
        assert.match(updated.state, /^succeeded/, JSON.stringify(updated));
        const page = await getPage({ address: host.address, hostname: await hostnameOf(system, id) });
        assert.equal(page.status, 200);

        const env = await environmentOf(copying.target);
        const copy = `/clients/${source.id}/copy_to/${id}`;
        const copied = await endedOverDeaths(id, () => system.call('GET', copy));
        await assertCopied(copying, copied, env);

        const deleted = await endedOverDeaths(id, () => system.call('DELETE', `/clients/${id}`));
        assert.equal(deleted.state, 'succeeded', JSON.stringify(deleted));
        assert.deepEqual(traces(await census(host), `client${id}`), []);
        const { body } = await system.call('GET', `/backups?client_id=${id}`);
        assert.equal(body['total'], 2, 'one of the copy and one of the delete');
      } finally {
        await worker.stop();
        await system.close();
      }
    });
  }
});
