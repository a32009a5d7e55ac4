import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readStepOutput } from '../../../activities/operation/step-output.js';
import { pollUntil } from '../../../process/poll.js';
import { assertHealthy, removeClient } from '../../support/client-checks.js';
import { cutConnections } from '../../support/cut-connections.js';
import { type KillableWorker, startKillableWorker } from '../../support/killable-worker.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { ownBaseDirectory } from '../../support/own-base-directory.js';
import { openSystem, type System } from '../../support/system.js';

/** Longer than a heartbeat's timeout and a worker's start together, so that the second life sees the command run. */
const SECONDS = 30;

describe('a migration that takes long', { skip: noLab, concurrency: 2 }, () => {
  for (const [slot, hostName] of [
    [42, 'maria'],
    [43, 'pg'],
  ] as const) {
    describe(`on ${hostName}`, () => {
      let system: System;
      let worker: KillableWorker;
      const host = noLab === false ? sharedHost(hostName) : (undefined as never);
      const baseDir = `/srv-long${slot}`;

      before(async () => {
        system = await openSystem({ slot, worker: false });
        worker = await startKillableWorker(system);
        await ownBaseDirectory(host, baseDir, { SAMPLE_MIGRATE_SECONDS: `${SECONDS}` });
      });
      after(async () => {
        await worker?.stop();
        await system?.close();
        await host?.exec(`rm -rf ${baseDir}`);
      });

      it('runs once and its output has no gap, though the connection is cut and the worker is killed', async () => {
        const serverId = await system.addServer(host, { base_dir: baseDir });
        // docker keeps only its last events, and health checks are many
        const stop = `/tmp/long${slot}.stop`;
        const started = host.exec(`
docker events --filter event=start --format '{{.Actor.Attributes.name}}' & events=$!
until [ -e ${stop} ]; do sleep 0.2; done; kill $events; rm ${stop}`);
        const { id, operation } = await system.addClient(serverId);
        await untilSecond(operation, 4);
        const cut = await cutConnections(host, worker.pid());
        assert.ok(cut > 0, 'no connection was cut');
        // it goes on by a connection made anew, in the same attempt
        await untilSecond(operation, 9);
        assert.equal(worker.deaths(), 0);
        worker.kill('SIGKILL');

        const view = await system.until(
          operation,
          'end',
          ({ endedAt, state }) => endedAt !== null || state === 'holding',
          180_000,
        );
        await assertHealthy({ system, host, id, view });
        assert.equal(worker.deaths(), 1);
        const output = await readStepOutput(system.database.db, operation, 'migrate');
        // Compose 1.29 speaks first
        const lines = output.slice(output.indexOf('migrating')).split('\n');
        const seconds = Array.from(
          { length: SECONDS },
          (_, index) => `migrating, second ${index + 1} of ${SECONDS}`,
        );
        assert.deepEqual(lines.slice(0, SECONDS), seconds);
        assert.match(lines[SECONDS] ?? '', /^migrated 0001_create_users$/);
        assert.deepEqual(
          lines.slice(SECONDS).map((line) => /^(?:migrated \d{4})?/.exec(line)?.[0]),
          [...[1, 2, 3, 4, 5, 6, 7].map((number) => `migrated 000${number}`), ''],
        );
        await host.exec(`touch ${stop}`);
        const names = (await started).stdout.split('\n');
        const containers = names.filter((name) => name.startsWith(`${operation.toLowerCase()}-migrate-`));
        assert.deepEqual(containers, [`${operation.toLowerCase()}-migrate-1`]);
        await removeClient(system, host, id);
      });

      /** The command's own clock, as far as its output has arrived here. */
      async function untilSecond(operation: string, second: number): Promise<void> {
        await pollUntil({
          what: `second ${second} of the migration`,
          deadlineMs: 90_000,
          everyMs: 100,
          probe: async () => {
            const output = await readStepOutput(system.database.db, operation, 'migrate');
            return output.includes(`second ${second} of`) || undefined;
          },
        });
      }
    });
  }
});
