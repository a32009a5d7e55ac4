import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { assertHealthy, hostnameOf, removeClient } from '../support/client-checks.js';
import { CREATE_CLIENT_STEPS } from '../support/create-client-steps.js';
import { type KillableWorker, startKillableWorker } from '../support/killable-worker.js';
import { noLab, sharedHost } from '../support/lab.js';
import { type Watch, watchNeighbour } from '../support/neighbour.js';
import { FAULTS, subdomainFor } from '../support/planned-fault.js';
import { openSystem, type System } from '../support/system.js';

const KILLS = FAULTS.slice(4);

for (const [slot, hostName] of [
  [13, 'maria'],
  [14, 'pg'],
] as const) {
  describe(`create client on ${hostName} ends with one healthy client when a step`, { skip: noLab, concurrency: 8 }, () => {
    let system: System;
    let worker: KillableWorker;
    let serverId: number;
    let watch: Watch;
    const host = noLab === false ? sharedHost(hostName) : (undefined as never);

    before(async () => {
      system = await openSystem({ slot, worker: false });
      worker = await startKillableWorker(system);
      serverId = await system.addServer(host);
      const neighbour = await system.addClient(serverId);
      assert.equal((await system.ended(neighbour.operation)).state, 'succeeded');
      watch = watchNeighbour({ address: host.address, hostname: await hostnameOf(system, neighbour.id) });
    });
    after(async () => {
      await watch?.stop();
      await worker?.stop();
      await system?.close();
      assert.deepEqual(watch?.disturbances(), []);
      // a worker that dies takes the others' planned deaths with it only when they fall into the same moment
      assert.ok((worker?.deaths() ?? 0) >= CREATE_CLIENT_STEPS.length, `only ${worker?.deaths()} workers died`);
    });

    for (const fault of KILLS) {
      for (const step of CREATE_CLIENT_STEPS) {
        it(`${fault}: ${step}`, async () => {
          const { id, operation } = await system.addClient(serverId, { subdomain: subdomainFor({ step, fault }) });
          // every death of the shared worker costs the others up to a heartbeat timeout
          const view = await system.until(operation, 'end', ({ endedAt }) => endedAt !== null, 240_000);
          await assertHealthy({ system, host, id, view });
          await removeClient(system, host, id);
        });
      }
    }
  });
}
