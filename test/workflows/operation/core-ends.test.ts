import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { pollUntil } from '../../../process/poll.js';
import { ensureTemporal } from '../../../start/tools/temporal-cli.js';
import { failing, openScriptedSystem, type ScriptedSystem } from '../../support/scripted-world.js';

const run = promisify(execFile);

describe('the end of an operation', { concurrency: 8 }, () => {
  let system: ScriptedSystem;
  before(async () => {
    system = await openScriptedSystem({ holdWindowMs: 20_000 });
  });
  after(() => system?.close());

  const cancel = async (subject: string): Promise<void> => {
    await system.client.workflow.getHandle(subject).cancel();
  };

  it('leaves no step holding: rolled back by a decision', async () => {
    const started = await system.start([{ key: 'one' }, { key: 'two', undo: false }], {
      faults: { 'do:two': failing('CommandFailed') },
    });
    await started.until('hold', ({ hold }) => hold !== null);
    await started.handle.signal('rollback', {});
    await started.ended();
    const states = Object.fromEntries((await started.steps()).map(({ key, state }) => [key, state]));
    assert.deepEqual(states, { one: 'undone', two: 'failed' });
    const view = await started.view();
    assert.deepEqual(
      view.steps.map(({ state }) => state),
      ['undone', 'failed'],
    );
  });

  it('leaves no step holding: cancelled while it held', async () => {
    const started = await system.start([{ key: 'one', undo: false }], {
      faults: { 'do:one': failing('CommandFailed') },
    });
    await started.until('hold', ({ hold }) => hold !== null);
    await started.handle.cancel();
    assert.equal((await started.ended()).state, 'cancelled');
    assert.deepEqual(
      (await started.steps()).map(({ state }) => state),
      ['failed'],
    );
  });

  it('leaves no step running: cancelled within it', async () => {
    const started = await system.start([{ key: 'one' }, { key: 'two', undo: false }], {
      faults: {
        'in:two': async (step) => {
          await cancel(step.subject);
          await new Promise((_, reject) => {
            step.signal.addEventListener('abort', () => reject(new Error('given up')));
          });
        },
      },
    });
    assert.equal((await started.ended()).state, 'cancelled');
    const states = (await started.steps()).map(({ state }) => state);
    assert.ok(!states.includes('running'), states.join());
  });

  it('names the step that failed, also when it has been undone and an earlier one only warned', async () => {
    const started = await system.start([{ key: 'soft', onFail: 'warn' }, { key: 'two' }], {
      faults: { 'do:soft': failing('CommandFailed'), 'done:two': failing('Conflict') },
    });
    assert.equal((await started.ended()).failedStep, 'two');
  });

  it('undoes nothing that was never begun: cancelled between two steps', async () => {
    const started = await system.start([{ key: 'one' }, { key: 'two' }], {
      faults: { 'do:one': (step) => cancel(step.subject) },
    });
    await started.ended();
    const undone = system.world.log.filter((line) => line.startsWith(`unmake ${started.id}`));
    assert.deepEqual(undone, [`unmake ${started.id} one`]);
  });

  it('is cancelled although nothing was done yet, and never commits: cancelled before its first task', async () => {
    const own = await openScriptedSystem();
    try {
      await own.stopWorker();
      const steps = [{ key: 'one' }];
      // the commit itself refuses: no step before it would notice
      const forward = [{ key: 'one', commitBefore: true }];
      const started = [await own.start(steps), await own.start(forward)];
      for (const { handle } of started) await handle.cancel();
      await own.startWorker();
      for (const { ended } of started) assert.equal((await ended()).state, 'cancelled');
      assert.deepEqual(own.world.log, []);
    } finally {
      await own.close();
    }
  });

  it('is a success after the commit, although a cancel came and input was changed in the hold', async () => {
    const step = { key: 'two', commitBefore: true, editable: { fields: ['value'] } };
    const started = await system.start([{ key: 'one' }, step], {
      value: 'old',
      faults: { 'do:two': failing('CommandFailed', 1) },
    });
    await started.until('hold', ({ hold }) => hold !== null);
    await started.handle.cancel();
    await started.until('ignored cancel', ({ decisions }) => decisions.length === 1);
    await started.handle.signal('retry', { input: { value: 'new' } });
    assert.equal((await started.ended()).state, 'succeeded');
    assert.equal(system.world.things.get(`${started.id}/two`), 'new');
  });

  it('waits for undos that a cancel comes in the middle of', async () => {
    let cancelled = false;
    const started = await system.start([{ key: 'one' }, { key: 'two' }], {
      faults: {
        'done:two': failing('Conflict'),
        'undo:two': async (step) => {
          if (!cancelled) await cancel(step.subject);
          cancelled = true;
        },
      },
    });
    assert.equal((await started.ended()).state, 'rolled_back');
    assert.deepEqual(started.things(), []);
  });

  it('keeps what it made when somebody resets it afterwards', async () => {
    const started = await system.start([{ key: 'one' }, { key: 'two' }]);
    assert.equal((await started.ended()).state, 'succeeded');
    const temporal = await ensureTemporal(() => undefined);
    const history = await started.handle.fetchHistory();
    const scheduled = (history.events ?? []).find(
      ({ activityTaskScheduledEventAttributes: act }) => act?.activityId === 'two/1',
    );
    const before = Number(scheduled?.activityTaskScheduledEventAttributes?.workflowTaskCompletedEventId);
    const args = ['workflow', 'reset', '--workflow-id', started.subject, '--event-id', `${before}`];
    await run(temporal, [...args, '--reason', 'by mistake', '--address', system.temporalAddress]);
    const handle = system.client.workflow.getHandle(started.subject);
    await pollUntil({
      what: 'end of the reset run',
      deadlineMs: 15_000,
      probe: async () => (await handle.describe()).status.name !== 'RUNNING' || undefined,
    });
    assert.deepEqual(started.things(), ['one', 'two']);
    assert.equal((await started.row())?.state, 'succeeded');
  });

  it('restricts the subject when it was terminated half-way, also before anybody recorded that', async () => {
    const subject = 'client:terminated';
    const first = await system.start([{ key: 'one' }, { key: 'two' }], {
      subject,
      faults: { 'do:two': failing('CommandFailed') },
    });
    await first.until('hold', ({ hold }) => hold !== null);
    await first.handle.terminate('gone');
    const next = await system.start([{ key: 'one' }], { subject });
    const row = await next.ended();
    assert.equal(row.error?.kind, 'Conflict');
    assert.deepEqual(next.things(), []);
  });

  it('holds again after changed input, whatever kind of failure the repeated work meets', async () => {
    const started = await system.start(
      [{ key: 'one' }, { key: 'two', editable: { fields: ['value'], from: 'one' } }],
      {
        value: 'old',
        faults: {
          'do:two': failing('CommandFailed', 1),
          'do:one': (step) => (step.try > 1 ? failing('InvalidInput')(step) : undefined),
        },
      },
    );
    await started.until('hold', ({ hold }) => hold !== null);
    await started.handle.signal('retry', { input: { value: 'new' } });
    const view = await pollUntil({
      what: 'second hold or end',
      deadlineMs: 10_000,
      probe: async () => {
        const now = await started.view();
        return now.hold?.number === 2 || now.endedAt !== null ? now : undefined;
      },
    });
    assert.equal(view.state, 'holding');
    await started.handle.signal('rollback', {});
    await started.ended();
  });
});
