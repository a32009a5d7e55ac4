import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { clients } from '../../../db/schema/index.js';
import { pollUntil } from '../../../process/poll.js';
import { assertHealthy, hostnameOf, removeClient } from '../../support/client-checks.js';
import { CREATE_CLIENT_STEPS, STEPS_OF_OTHER_WAYS } from '../../support/create-client-steps.js';
import { type KillableWorker, startKillableWorker } from '../../support/killable-worker.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { type Watch, watchNeighbour } from '../../support/neighbour.js';
import { EACH_STEP, FAULTS, type Fault, subdomainFor, WHOLE } from '../../support/planned-fault.js';
import { openSystem, type System } from '../../support/system.js';

const [DURING, AFTER] = FAULTS.slice(4) as [Fault, Fault];

/** A system with a worker process of its own: one case's death does not delay another's. */
interface Lane {
  system: System;
  worker: KillableWorker;
  serverId: number;
}

/** Cases mostly wait for a heartbeat to be missed, so that two cores carry several at once. */
const LANES = WHOLE ? 4 : 2;
/** Each death costs a start of a worker and a missed heartbeat. */
const ENDED_MS = 600_000;

describe('create client, over every death of its worker', { skip: noLab, concurrency: 2 }, () => {
  for (const { hostName, firstSlot, kills, steps } of [
    { hostName: 'maria', firstSlot: 20, kills: [DURING, AFTER], steps: CREATE_CLIENT_STEPS },
    { hostName: 'pg', firstSlot: 24, kills: [DURING], steps: STEPS_OF_OTHER_WAYS },
  ] as const) {
    describe(`create client on ${hostName} ends with one healthy client when a step`, {
      skip: noLab,
      concurrency: LANES,
    }, () => {
      const host = noLab === false ? sharedHost(hostName) : (undefined as never);
      const free: Lane[] = [];
      let lanes: Lane[] = [];
      let watch: Watch;

      before(async () => {
        lanes = await Promise.all(Array.from({ length: LANES }, (_, index) => openLane(firstSlot + index)));
        free.push(...lanes);
        const [{ system, serverId }] = lanes as [Lane];
        const neighbour = await system.addClient(serverId);
        assert.equal((await system.ended(neighbour.operation)).state, 'succeeded');
        watch = watchNeighbour({ address: host.address, hostname: await hostnameOf(system, neighbour.id) });
      });
      after(async () => {
        await watch?.stop();
        for (const { worker, system } of lanes) {
          await worker.stop();
          await system.close();
        }
        assert.deepEqual(watch?.disturbances(), []);
      });

      async function openLane(slot: number): Promise<Lane> {
        const system = await openSystem({ slot, worker: false });
        const worker = await startKillableWorker(system);
        return { system, worker, serverId: await system.addServer(host) };
      }

      for (const fault of kills) {
        // one operation that loses its worker in each step, or one for each step
        for (const step of WHOLE ? steps : [EACH_STEP]) {
          it(`${fault}: ${step}`, async () => {
            const lane = free.pop() as Lane;
            try {
              await survive(lane, step, fault);
            } finally {
              free.push(lane);
            }
          });
        }
      }

      async function survive({ system, worker, serverId }: Lane, step: string, fault: Fault): Promise<void> {
        const deaths = worker.deaths();
        const { id, operation } = await system.addClient(serverId, {
          subdomain: subdomainFor({ step, fault }),
        });
        const view = await system.until(operation, 'end', ({ endedAt }) => endedAt !== null, ENDED_MS);
        const planned = step === EACH_STEP ? view.steps.length : 1;
        // an operation whose last step is short ends before the death in it
        await pollUntil({
          what: 'the planned deaths',
          deadlineMs: 10_000,
          probe: () => worker.deaths() - deaths >= planned || undefined,
        });
        assert.equal(worker.deaths(), deaths + planned, 'the worker did not die as planned');
        await assertHealthy({ system, host, id, view });
        // its delete is to keep its worker
        await system.database.db
          .update(clients)
          .set({ subdomain: `whole${id}` })
          .where(eq(clients.id, id));
        await removeClient(system, host, id);
      }
    });
  }
});
