import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { pollUntil } from '../../../process/poll.js';
import { ensureTemporal } from '../../../start/tools/temporal-cli.js';
import {
  failing,
  openScriptedSystem,
  type ScriptedRun,
  type ScriptedSystem,
} from '../../support/scripted-world.js';

const run = promisify(execFile);

describe('a held operation', { concurrency: 8 }, () => {
  let system: ScriptedSystem;
  before(async () => {
    system = await openScriptedSystem({ holdWindowMs: 30_000 });
  });
  after(() => system?.close());

  const held = async (
    options: Partial<Parameters<ScriptedSystem['start']>[1]> = {},
    step = {},
  ): Promise<ScriptedRun> => {
    const started = await system.start([{ key: 'one' }, { key: 'two', ...step }, { key: 'three' }], {
      faults: { 'do:two': failing('CommandFailed', 1) },
      ...options,
    });
    await started.until('hold', (view) => view.state === 'holding');
    return started;
  };

  it('goes on after a retry signal from the command line, and its log says who decided', async () => {
    const operation = await held();
    const temporal = await ensureTemporal(() => undefined);
    const input = JSON.stringify({ note: 'disk freed', actor: 'ops' });
    const args = [
      'workflow',
      'signal',
      '--workflow-id',
      operation.subject,
      '--name',
      'retry',
      '--input',
      input,
    ];
    await run(temporal, [...args, '--address', system.temporalAddress]);
    assert.equal((await operation.ended()).state, 'succeeded');
    const lines = await operation.lines();
    assert.ok(lines.some((line) => /^waiting for a person until .*: injected CommandFailed$/.test(line)));
    assert.ok(lines.includes('ops decided retry: disk freed'));
    assert.deepEqual(operation.things(), ['one', 'two', 'three']);
  });

  it('shows its hold in the projection', async () => {
    const operation = await held();
    const row = await pollUntil({
      what: 'hold in the projection',
      deadlineMs: 20_000,
      probe: async () => {
        const now = await operation.row();
        return now?.state === 'holding' ? now : undefined;
      },
    });
    assert.equal(row.hold?.step, 'two');
    assert.equal(row.failedStep, 'two');
    assert.deepEqual(
      (await operation.steps()).map(({ key, state }) => [key, state]),
      [
        ['one', 'done'],
        ['two', 'holding'],
      ],
    );
    await operation.handle.signal('rollback');
    assert.equal((await operation.ended()).state, 'rolled_back');
    assert.deepEqual(operation.things(), []);
  });

  it('records malformed, foreign, repeated and unfitting signals as ignored and stays held', async () => {
    const operation = await held();
    const signals: [string, unknown[], RegExp][] = [
      ['retry', ['just text'], /not an object/],
      ['retry', [{ note: 7 }], /"note"/],
      ['retry', [{ hold: 'x' }], /"hold"/],
      ['retry', [['a']], /not an object/],
      ['retry', [{ operation: '01ARZ3NDEKTSV4RRFFQ69G5FAV' }], /another operation/],
      ['retry', [{ hold: 7 }], /another hold/],
      ['retry', [{ input: { value: 'x' } }], /not changeable/],
      ['skip', [{ note: 'please' }], /does not allow skip/],
    ];
    for (const [name, args] of signals) await operation.handle.signal(name, ...args);
    const view = await operation.until('decisions', ({ decisions }) => decisions.length === signals.length);
    assert.equal(view.state, 'holding');
    view.decisions.forEach((decision, index) => {
      assert.equal(decision.accepted, false);
      assert.match(decision.ignored ?? '', signals[index]?.[2] ?? /never/);
    });
    await operation.handle.signal('retry', { id: 'd1', actor: 'who I say', note: 'twice' });
    await operation.handle.signal('retry', { id: 'd1' });
    const row = await operation.ended();
    assert.equal(row.state, 'succeeded');
    const repeated = row.decisions.filter((decision) => decision.id === 'd1');
    assert.deepEqual(
      repeated.map(({ accepted, actor, note }) => [accepted, actor, note]),
      [
        [true, 'who I say', 'twice'],
        [false, 'unknown', undefined],
      ],
    );
  });

  it('ignores a signal while it does not hold', async () => {
    let signalled = false;
    const operation = await system.start([{ key: 'one' }], {
      faults: {
        'do:one': async (step) => {
          if (signalled) return;
          signalled = true;
          await system.client.workflow.getHandle(step.subject).signal('retry', {});
        },
      },
    });
    const row = await operation.ended();
    assert.equal(row.state, 'succeeded');
    assert.match(row.decisions[0]?.ignored ?? '', /does not wait/);
  });

  it('skips only where the step allows it and with a note', async () => {
    const operation = await held({}, { skippable: true });
    await operation.handle.signal('skip', {});
    await operation.until('ignored', ({ decisions }) => decisions.length === 1);
    await operation.handle.signal('skip', { note: 'done by hand' });
    const row = await operation.ended();
    assert.equal(row.state, 'succeeded_with_warnings');
    assert.match(row.warnings[0]?.message ?? '', /skipped \(done by hand\)/);
    assert.deepEqual(operation.things(), ['one', 'three']);
  });

  it('holds again when the step fails once more, of whatever kind', async () => {
    let attempts = 0;
    const operation = await system.start([{ key: 'one' }], {
      faults: {
        'do:one': (step) => {
          attempts += 1;
          if (attempts === 1) return failing('CommandFailed')(step);
          if (attempts === 2) return failing('Conflict')(step);
        },
      },
    });
    await operation.until('first', ({ hold }) => hold?.number === 1);
    await operation.handle.signal('retry');
    const second = await operation.until('second', ({ hold }) => hold?.number === 2);
    assert.equal(second.hold?.error.kind, 'Conflict');
    await operation.handle.signal('retry', { hold: 2 });
    assert.equal((await operation.ended()).state, 'succeeded');
  });

  it('takes changed input of the declared fields, checked first, and does work again from the declared step', async () => {
    const steps = [
      { key: 'base' },
      { key: 'one' },
      { key: 'two', editable: { fields: ['value'], from: 'one' } },
    ];
    const operation = await system.start(steps, {
      value: 'old',
      faults: { 'do:two': failing('CommandFailed', 1) },
    });
    await operation.until('hold', ({ hold }) => hold !== null);
    await operation.handle.signal('retry', { input: { value: 'bad' } });
    const refused = await operation.until('refusal', ({ decisions }) =>
      decisions.some(({ accepted }) => !accepted),
    );
    assert.equal(refused.state, 'holding');
    assert.equal(refused.decisions.at(-1)?.ignored, 'bad is not a value');
    await operation.handle.signal('retry', { input: { value: 'new' } });
    assert.equal((await operation.ended()).state, 'succeeded');
    const values = ['base', 'one', 'two'].map((key) => system.world.things.get(`${operation.id}/${key}`));
    assert.deepEqual(values, ['old', 'new', 'new']);
  });

  it('rolls back by itself when its window ends', async () => {
    const operation = await held({ request: { holdWindowMs: 700 } });
    assert.equal((await operation.ended()).state, 'rolled_back');
    assert.deepEqual(operation.things(), []);
  });

  it('does not hold where the caller asked for rollback or for no window', async () => {
    for (const request of [{ onFailure: 'rollback' as const }, { holdWindowMs: 0 }]) {
      const operation = await system.start([{ key: 'one' }, { key: 'two' }], {
        request,
        faults: { 'do:two': failing('CommandFailed') },
      });
      const row = await operation.ended();
      assert.equal(row.state, 'rolled_back');
      assert.ok(!(await operation.lines()).some((line) => line.startsWith('waiting')));
    }
  });

  it('gives a window again that ended while Slipway was down', async () => {
    const own = await openScriptedSystem({ holdWindowMs: 1_500, lateMs: 300 });
    try {
      const operation = await own.start([{ key: 'one' }], {
        faults: { 'do:one': failing('CommandFailed', 1) },
      });
      const first = await operation.until('hold', ({ hold }) => hold !== null);
      await own.stopWorker();
      const over = Date.parse(first.hold?.until ?? '') + 800;
      await new Promise((resolve) => setTimeout(resolve, over - Date.now()));
      await own.startWorker();
      const second = await operation.until(
        'second window',
        ({ hold }) => hold !== null && hold.until !== first.hold?.until,
      );
      assert.equal(second.hold?.number, 1);
      await operation.handle.signal('retry');
      assert.equal((await operation.ended()).state, 'succeeded');
    } finally {
      await own.close();
    }
  });
});
