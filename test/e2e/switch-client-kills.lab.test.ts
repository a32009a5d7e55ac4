import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { clients } from '../../db/schema/index.js';
import { hostnameOf } from '../support/client-checks.js';
import {
  assertSwitched,
  CHANGE_STEPS,
  change,
  type Changing,
  NEW,
  resetVersion,
} from '../support/client-version.js';
import { type KillableWorker, startKillableWorker } from '../support/killable-worker.js';
import { noLab, sharedHost } from '../support/lab.js';
import { FAULTS, type Fault, subdomainFor } from '../support/planned-fault.js';
import { openSystem, type System } from '../support/system.js';
import { startVisitors } from '../support/visitors.js';

const [DURING, AFTER] = FAULTS.slice(4) as [Fault, Fault];

/** Cases mostly wait for a heartbeat to be missed; each lane has a worker of its own. */
interface Lane extends Changing {
  worker: KillableWorker;
}

for (const { hostName, firstSlot, lanes: count, cases } of [
  {
    hostName: 'maria',
    firstSlot: 77,
    lanes: 2,
    cases: CHANGE_STEPS.map((step) => ({ step, fault: DURING })),
  },
  {
    hostName: 'pg',
    firstSlot: 79,
    lanes: 1,
    cases: ['image', 'update', 'start', 'traffic-off-left'].map((step) => ({ step, fault: AFTER })),
  },
]) {
  describe(`switch a client on ${hostName} ends with the new version when a step`, {
    skip: noLab,
    concurrency: count,
  }, () => {
    const host = noLab === false ? sharedHost(hostName as 'maria' | 'pg') : (undefined as never);
    const free: Lane[] = [];
    let lanes: Lane[] = [];

    before(async () => {
      lanes = await Promise.all(Array.from({ length: count }, (_, index) => openLane(firstSlot + index)));
      free.push(...lanes);
    });
    after(async () => {
      for (const { worker, system, visitors } of lanes) {
        await visitors.stop();
        await worker.stop();
        await system.close();
      }
    });

    async function openLane(slot: number): Promise<Lane> {
      const system = await openSystem({ slot, worker: false });
      const worker = await startKillableWorker(system);
      const { id, operation } = await system.addClient(await system.addServer(host));
      assert.match((await system.ended(operation)).state, /^succeeded/);
      const hostname = await hostnameOf(system, id);
      return { system, worker, host, id, visitors: startVisitors({ address: host.address, hostname }) };
    }

    /** The names of what is there do not follow the row. */
    const plan = (system: System, id: number, subdomain: string) =>
      system.database.db.update(clients).set({ subdomain }).where(eq(clients.id, id));

    for (const planned of cases) {
      it(`${planned.fault}: ${planned.step}`, async () => {
        const lane = free.pop() as Lane;
        const { system, worker, id } = lane;
        const { body } = await system.call('GET', `/clients/${id}`);
        try {
          const deaths = worker.deaths();
          await plan(system, id, subdomainFor(planned));
          const view = await system.ended(await change(lane, `switch/${NEW}`));
          assert.equal(worker.deaths(), deaths + 1, 'the worker did not die as planned');
          await plan(system, id, String(body['subdomain']));
          await assertSwitched(lane, view);
          await resetVersion(lane);
        } finally {
          free.push(lane);
        }
      });
    }
  });
}
