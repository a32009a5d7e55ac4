import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { clients } from '../../../db/schema/index.js';
import { hostnameOf } from '../../support/client-checks.js';
import { assertSwitched, CHANGE_STEPS, change, NEW } from '../../support/client-version.js';
import { startKillableWorker } from '../../support/killable-worker.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { EACH_STEP, FAULTS, subdomainFor } from '../../support/planned-fault.js';
import { openSystem } from '../../support/system.js';
import { startVisitors } from '../../support/visitors.js';

const [DURING, AFTER] = FAULTS.slice(4, 6);
/** Each death costs a start of a worker and a missed heartbeat. */
const ENDED_MS = 600_000;

describe('a switch whose worker dies in each step', { skip: noLab, concurrency: 2 }, () => {
  for (const [slot, hostName, fault] of [
    [77, 'maria', DURING],
    [78, 'pg', AFTER],
  ] as const) {
    it(`${fault} on ${hostName}: it ends with the new version`, async () => {
      const host = sharedHost(hostName);
      const system = await openSystem({ slot, worker: false });
      const worker = await startKillableWorker(system);
      const ends: (() => Promise<unknown>)[] = [() => worker.stop(), () => system.close()];
      try {
        const { id, operation } = await system.addClient(await system.addServer(host));
        assert.match((await system.ended(operation)).state, /^succeeded/);
        const visitors = startVisitors({ address: host.address, hostname: await hostnameOf(system, id) });
        ends.unshift(() => visitors.stop());
        const rename = (subdomain: string) =>
          system.database.db.update(clients).set({ subdomain }).where(eq(clients.id, id));
        const { body } = await system.call('GET', `/clients/${id}`);
        // of what is there, the names do not follow the row
        await rename(subdomainFor({ step: EACH_STEP, fault: fault ?? 'is cancelled' }));
        const changing = { system, host, id, visitors };
        const switched = await change(changing, `switch/${NEW}`);
        const view = await system.until(switched, 'end', ({ endedAt }) => endedAt !== null, ENDED_MS);
        await rename(String(body['subdomain']));
        assert.equal(worker.deaths(), CHANGE_STEPS.length, 'the worker did not die as planned');
        await assertSwitched(changing, view);
      } finally {
        for (const end of ends) await end();
      }
    });
  }
});
