import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freePort } from '../../../process/free-port.js';
import { pollUntil } from '../../../process/poll.js';
import { type PostgresServer, startPostgres } from '../../../start/services/postgres.js';
import type { ScriptedSystem } from '../../support/scripted-world.js';

const log = (): void => undefined;

/** A Postgres of this file's own: it is killed. */
describe('an operation whose Postgres dies', () => {
  let dir: string;
  let port: number;
  let postgres: PostgresServer;
  let system: ScriptedSystem;

  const restart = async (): Promise<void> => {
    postgres = await startPostgres({ dir, port, persistent: true, log });
  };

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'slipway-core-postgres-'));
    await chmod(dir, 0o755); // the server may run as another user
    port = await freePort();
    await restart();
    process.env['SLIPWAY_TEST_POSTGRES'] = postgres.url;
    // after the variable is set: the module reads it once
    const { openScriptedSystem } = await import('../../support/scripted-world.js');
    system = await openScriptedSystem();
  });
  after(async () => {
    await system?.close();
    await postgres?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  for (const place of ['do:one', 'in:one', 'done:one']) {
    it(`does the step again and writes each row once (${place})`, async () => {
      let killed = false;
      const run = await system.start([{ key: 'one' }, { key: 'two' }], {
        faults: {
          [place]: async () => {
            if (killed) return;
            killed = true;
            await postgres.kill();
          },
        },
      });
      await pollUntil({ what: 'the kill', deadlineMs: 10_000, probe: () => killed || undefined });
      await restart();
      assert.equal((await run.ended()).state, 'succeeded');
      assert.deepEqual(run.things(), ['one', 'two']);
      const steps = await run.steps();
      assert.deepEqual(steps.map(({ key, state }) => [key, state]).sort(), [
        ['one', 'done'],
        ['two', 'done'],
      ]);
      const lines = await run.lines();
      assert.equal(lines.filter((line) => line === 'one: done').length, 1);
      assert.equal(lines.at(-1), 'Scripted: succeeded');
    });
  }

  it('loses no line of a hold that began while Postgres was away for longer than a record waits', async () => {
    const run = await system.start([{ key: 'one' }], {
      faults: {
        'in:one': async (step) => {
          if (step.try > 1) return;
          await postgres.kill();
          const { failure } = await import('../../../workflows/contract/operation/failures.js');
          throw failure('CommandFailed', 'no');
        },
      },
    });
    const { hold } = await run.until('hold', (view) => view.hold !== null);
    assert.equal(hold?.step, 'one');
    // it is shown once its record has given up, after 30 s of RECORD_TIMING
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await restart();
    await run.handle.signal('retry', { id: 'd1', actor: 'ops' });
    assert.equal((await run.ended()).state, 'succeeded');
    const lines = await run.lines();
    assert.ok(
      lines.some((line) => line.startsWith('waiting for a person')),
      lines.join('\n'),
    );
  });
});
