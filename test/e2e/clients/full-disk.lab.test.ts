import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { pollUntil } from '../../../process/poll.js';
import { run } from '../../../process/run.js';
import { ensureTemporal } from '../../../start/tools/temporal-cli.js';
import type { OperationView } from '../../../workflows/contract/operation/operation.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { assertHealthy, removeClient } from '../../support/client-checks.js';
import { census, traces } from '../../support/census.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { mountSmallDisk, type SmallDisk } from '../../support/small-disk.js';
import { openSystem, type System } from '../../support/system.js';

interface Case {
  step: string;
  /** bytes that are left */
  room: number;
}

/** Steps that write under the base directory: a container's start and a migration are jobs, and so have a log there. */
const CASES: Case[] = [
  { step: 'files', room: 0 },
  // enough for the fence and the directory's marker, too little for the files
  { step: 'files', room: 8192 },
  { step: 'container', room: 0 },
  { step: 'migrate', room: 0 },
];

for (const [slot, hostName] of [
  [35, 'maria'],
  [36, 'pg'],
] as const) {
  describe(`the disk of ${hostName} becomes full before the step`, { skip: noLab }, () => {
    let system: System;
    let serverId: number;
    let temporal: string;
    let fullBefore: Case | undefined;
    let disk: SmallDisk;
    const host = noLab === false ? sharedHost(hostName) : (undefined as never);
    const baseDir = `/srv-full${slot}`;

    before(async () => {
      system = await openSystem({ slot, inject: fillDisk });
      disk = await mountSmallDisk(host, baseDir);
      serverId = await system.addServer(host, { base_dir: baseDir });
      temporal = await ensureTemporal(() => undefined);
    });
    afterEach(() => disk.free());
    after(async () => {
      await system?.close();
      await disk?.unmount();
    });

    async function fillDisk(point: 'before' | 'after', { step }: StepContext): Promise<void> {
      if (point !== 'before' || step !== fullBefore?.step) return;
      const { room } = fullBefore;
      fullBefore = undefined;
      await disk.fill(room);
    }

    for (const { step, room } of CASES) {
      const name = `${step}, ${room} bytes left`;

      it(`${name}: it waits for a person, and goes on once the disk is freed`, async () => {
        const { id, operation, held } = await createOnFullDisk({ step, room });
        const { kind, message, hint } = held.hold?.error ?? {};
        assert.equal(kind, 'CapacityExceeded');
        assert.match(message ?? '', /: the disk is full \(.*No space left on device\)$/);
        assert.ok(message?.includes(host.address) && message.includes(` ${baseDir}/`), message);
        assert.match(hint ?? '', /free space/);
        await pollUntil({
          what: 'the line about the hold',
          deadlineMs: 10_000,
          probe: async () => {
            const { body: log } = await system.call('GET', `/clients/${id}/createlog`);
            return (
              /waiting for a person until .*no space left/i.test(JSON.stringify(log['log'])) || undefined
            );
          },
        });

        await signal(id, '"no object"');
        await signal(id, '{"note":7}');
        await system.until(operation, 'ignored signals', ({ decisions }) => decisions.length === 2);
        assert.equal((await system.operation(operation)).state, 'holding');
        await disk.free();
        await signal(id, '{"note":"disk freed","actor":"night shift"}');
        const view = await system.ended(operation);
        await assertHealthy({ system, host, id, view });
        assert.deepEqual(
          view.decisions.map(({ action, accepted, ignored, note, actor }) => [
            action,
            accepted,
            ignored ?? note,
            actor,
          ]),
          [
            ['retry', false, 'the payload is not an object', 'unknown'],
            ['retry', false, '"note" is not a short text', 'unknown'],
            ['retry', true, 'disk freed', 'night shift'],
          ],
        );
        await removeClient(system, host, id);
      });

      it(`${name}: rolled back while the disk is still full, nothing is left`, async () => {
        const { id, operation } = await createOnFullDisk({ step, room });
        await run(temporal, [
          'workflow',
          'signal',
          '--address',
          system.temporalAddress,
          '--workflow-id',
          `client:${id}`,
          '--name',
          'rollback',
        ]);
        const view = await system.ended(operation);
        assert.equal(view.state, 'rolled_back', JSON.stringify(view));
        assert.deepEqual(view.leftovers, []);
        assert.deepEqual(traces(await census(host), `client${id}`), []);
        const { stdout } = await host.exec(`ls -A ${baseDir}/docker/clients`);
        assert.ok(!stdout.includes(`client${id}`), stdout);
      });
    }

    async function createOnFullDisk(
      full: Case,
    ): Promise<{ id: number; operation: string; held: OperationView }> {
      fullBefore = full;
      const made = await system.addClient(serverId);
      const held = await system.until(
        made.operation,
        'hold',
        ({ state, endedAt }) => state === 'holding' || endedAt !== null,
      );
      assert.equal(held.hold?.step, full.step);
      return { ...made, held };
    }

    /** As an operator does it, from a terminal. */
    async function signal(id: number, input: string): Promise<void> {
      const target = ['--address', system.temporalAddress, '--workflow-id', `client:${id}`];
      await run(temporal, ['workflow', 'signal', ...target, '--name', 'retry', '--input', input]);
    }
  });
}
