import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import { pollUntil } from '../../../process/poll.js';
import type { OperationView } from '../../../workflows/contract/operation/operation.js';
import { openScriptedWorkers, type ScriptedWorkers } from '../../support/scripted-workers.js';

const HOUR_MS = 3_600_000;
const WINDOW_MS = 1_500;

/** All at once: they mostly wait. */
describe('an operation whose worker', { concurrency: true }, () => {
  let workers: ScriptedWorkers;
  before(async () => {
    workers = await openScriptedWorkers();
  });
  after(() => workers?.close());

  const ended = (...handles: WorkflowHandle[]) =>
    workers.services.client.withDeadline(Date.now() + 90_000, () =>
      Promise.all(handles.map((handle) => handle.result())),
    );
  const effects = async (operation: string) =>
    (await workers.happenings())
      .filter(({ what }) => what.startsWith(`made ${operation} `))
      .map(({ what }) => what.split(' ')[2]);

  for (const [says, clockOffsetMs] of [
    ['an hour too late', HOUR_MS],
    ['an hour too early', -HOUR_MS],
  ] as const) {
    it(`has a clock that says ${says}: holds end by the server's time, and decisions count`, async () => {
      const { taskQueue, kill } = await workers.startWorker(undefined, { clockOffsetMs });
      const steps = [{ key: 'fails-first' }, { key: 'two' }];
      const left = await workers.start(taskQueue, steps, { holdWindowMs: WINDOW_MS });
      const decided = await workers.start(taskQueue, steps);
      const hold = await pollUntil({
        what: 'hold',
        deadlineMs: 30_000,
        probe: async () => (await decided.handle.query<OperationView, []>('view')).hold ?? undefined,
      });
      const windowMs = Date.parse(hold.until ?? '') - Date.now();
      assert.ok(windowMs > 25 * 60_000 && windowMs <= 30 * 60_000, `${windowMs} ms`);
      await decided.handle.signal('retry', {});
      await ended(decided.handle);
      assert.deepEqual(await effects(decided.id), ['fails-first', 'two']);
      await assert.rejects(left.handle.result());
      const { startTime, closeTime } = await left.handle.describe();
      const took = (closeTime?.getTime() ?? Number.NaN) - startTime.getTime();
      assert.ok(took >= WINDOW_MS && took < WINDOW_MS + 20_000, `${took} ms`);
      assert.deepEqual(await effects(left.id), []);
      await kill('SIGTERM');
    });
  }

  it('does nothing for 5 s, because its event loop is blocked: each step has its effect once', async () => {
    const { taskQueue, kill } = await workers.startWorker();
    const { id, handle } = await workers.start(taskQueue, [{ key: 'blocks' }, { key: 'two' }]);
    const beside = await workers.start(taskQueue, [{ key: 'one', takesMs: 1_000 }, { key: 'two' }]);
    await ended(handle, beside.handle);
    assert.deepEqual(await effects(id), ['blocks', 'two']);
    assert.deepEqual(await effects(beside.id), ['one', 'two']);
    await kill('SIGTERM');
  });

  it('cannot open a file any more: it, or another worker, goes on, and each step has its effect once', async () => {
    const short = await workers.startWorker(undefined, { openFiles: 256 });
    const { id, handle } = await workers.start(short.taskQueue, [{ key: 'exhausts' }, { key: 'two' }]);
    await workers.happens('the step', ({ what }) => what === `make ${id} exhausts`);
    const other = await workers.startWorker(short.taskQueue);
    const beside = await workers.start(short.taskQueue, [{ key: 'one', takesMs: 500 }, { key: 'two' }]);
    await ended(handle, beside.handle);
    assert.deepEqual(await effects(id), ['exhausts', 'two']);
    assert.deepEqual(await effects(beside.id), ['one', 'two']);
    await short.kill('SIGKILL');
    await other.kill('SIGTERM');
  });
});
