import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import { pollUntil } from '../../../process/poll.js';
import type { OperationView } from '../../../workflows/contract/operation/operation.js';
import { openScriptedWorkers, type ScriptedWorkers } from '../../support/scripted-workers.js';

const RESUME_BETWEEN_MS = 5_000;
const RESUME_INSIDE_MS = 20_000;

/** All at once: they wait for bounds of Temporal's. */
describe('an operation whose worker is lost or leaves', { concurrency: true }, () => {
  let workers: ScriptedWorkers;
  before(async () => {
    workers = await openScriptedWorkers();
  });
  after(() => workers?.close());

  async function untilHeld(handle: WorkflowHandle): Promise<void> {
    await pollUntil({
      what: 'hold',
      deadlineMs: 20_000,
      probe: async () => (await handle.query<OperationView, []>('view')).hold ?? undefined,
    });
  }

  it('goes on within 5 s after its worker was killed while it waited between two steps', async (t) => {
    const first = await workers.startWorker();
    const { id, handle } = await workers.start(first.taskQueue, [{ key: 'fails-first' }, { key: 'two' }]);
    await untilHeld(handle);
    const second = await workers.startWorker(first.taskQueue);
    await first.kill('SIGKILL');
    const killed = Date.now();
    await handle.signal('retry', {});
    const next = await workers.happens('the next activity', ({ pid, what }) => {
      return pid === second.child.pid && what === `make ${id} fails-first`;
    });
    t.diagnostic(`resumed after ${next.time - killed} ms`);
    assert.ok(next.time - killed < RESUME_BETWEEN_MS, `${next.time - killed} ms`);
    await handle.result();
    await second.kill('SIGTERM');
  });

  it('is not more than the rest of its step when its worker is asked to stop within it', async () => {
    const first = await workers.startWorker();
    const { id, handle } = await workers.start(first.taskQueue, [
      { key: 'one', takesMs: 10_000 },
      { key: 'two' },
    ]);
    await workers.happens('the step', ({ what }) => what === `make ${id} one`);
    const second = await workers.startWorker(first.taskQueue);
    await first.kill('SIGTERM');
    await handle.result();
    const own = (await workers.happenings()).filter(({ what }) => what.includes(id));
    assert.deepEqual(
      own.map(({ pid, what }) => [pid === first.child.pid ? 'first' : 'second', what.replace(` ${id}`, '')]),
      [
        ['first', 'make one'],
        ['first', 'made one'],
        ['second', 'make two'],
        ['second', 'made two'],
      ],
    );
    await second.kill('SIGTERM');
  });

  it('goes on within 20 s after its worker was killed inside a step', async (t) => {
    const first = await workers.startWorker();
    const { id, handle } = await workers.start(first.taskQueue, [
      { key: 'one', takesMs: 8_000 },
      { key: 'two' },
    ]);
    const begun = await workers.happens('the step', ({ what }) => what === `make ${id} one`);
    const second = await workers.startWorker(first.taskQueue);
    assert.equal(begun.pid, first.child.pid);
    await first.kill('SIGKILL');
    const killed = Date.now();
    const again = await workers.happens('the step again', (happening) => {
      return happening.what === `make ${id} one` && happening.pid === second.child.pid;
    });
    t.diagnostic(`resumed after ${again.time - killed} ms`);
    assert.ok(again.time - killed < RESUME_INSIDE_MS);
    await handle.result();
    await second.kill('SIGTERM');
  });
});
