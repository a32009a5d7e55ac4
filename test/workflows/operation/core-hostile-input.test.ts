import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ulid } from 'ulid';
import { pollUntil } from '../../../process/poll.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import {
  failing,
  openScriptedSystem,
  type ScriptedRun,
  type ScriptedSystem,
} from '../../support/scripted-world.js';

describe('an operation under hostile input', { concurrency: 8 }, () => {
  let system: ScriptedSystem;
  let taskQueue: string;
  before(async () => {
    system = await openScriptedSystem({ holdWindowMs: 20_000 });
    ({ taskQueue } = await (await system.start([])).handle.describe());
  });
  after(() => system?.close());

  const held = async (step = {}): Promise<ScriptedRun> => {
    const run = await system.start([{ key: 'one', ...step }], {
      faults: { 'do:one': failing('CommandFailed', 1) },
    });
    await run.until('hold', ({ hold }) => hold !== null);
    return run;
  };

  for (const [what, note] of [
    ['a NUL', 'a\u0000b'],
    ['half a surrogate pair', 'a\ud800b'],
  ] as const) {
    it(`records its end although a note held ${what}`, async () => {
      const run = await held();
      await run.handle.signal('retry', { note });
      assert.equal((await run.ended()).state, 'succeeded');
    });
  }

  it('holds visibly, and ends, although a message held a NUL', async () => {
    const run = await system.start([{ key: 'one' }], {
      faults: {
        'do:one': (step) => {
          if (step.try === 1) throw failure('CommandFailed', 'binary \u0000 output');
        },
      },
    });
    await run.until('hold', ({ hold }) => hold !== null);
    await pollUntil({
      what: 'hold in the projection',
      deadlineMs: 20_000,
      probe: async () => (await run.row())?.state === 'holding' || undefined,
    });
    await run.handle.signal('retry', {});
    assert.equal((await run.ended()).state, 'succeeded');
  });

  for (const operation of [
    {},
    'text',
    { id: 7, actor: 'x' },
    { id: '../../x', actor: 'x', requestId: null },
    { id: '01ARZ3NDEKTSV4RRFFQ69G5FAV', actor: 'x', requestId: null, holdWindowMs: 1e20 },
    { id: '01ARZ3NDEKTSV4RRFFQ69G5FAW', actor: 'x', requestId: null, holdWindowMs: 'soon' },
    { id: '01ARZ3NDEKTSV4RRFFQ69G5FAX', actor: 'x', requestId: null, parent: { workflowId: '' } },
    { id: '01ARZ3NDEKTSV4RRFFQ69G5FAY', actor: 'x', requestId: null, root: 7 },
  ]) {
    it(`refuses a start by hand with the operation ${JSON.stringify(operation)}`, async () => {
      const subject = `client:hand-${Buffer.from(JSON.stringify(operation)).toString('base64url').slice(0, 100)}`;
      const handle = await system.client.workflow.start('scripted', {
        workflowId: subject,
        taskQueue,
        args: [{ operation, params: { subject, steps: [] } }],
      });
      const { status } = await pollUntil({
        what: 'an end instead of a stuck workflow task',
        deadlineMs: 20_000,
        probe: async () => {
          const now = await handle.describe();
          return now.status.name === 'RUNNING' ? undefined : now;
        },
      });
      assert.equal(status.name, 'FAILED');
    });
  }

  for (const [what, actor, value] of [
    ['its actor', 'a\u0000b', 'made'],
    ['its parameters', 'ops', 'a\u0000b'],
  ] as const) {
    it(`ends a start by hand with a NUL in ${what} as InvalidInput instead of trying for ever`, async () => {
      const subject = `client:nul-in-${what.replace(' ', '-')}`;
      const operation = { id: ulid(), actor, requestId: null };
      const handle = await system.client.workflow.start('scripted', {
        workflowId: subject,
        taskQueue,
        args: [{ operation, params: { subject, value, steps: [{ key: 'one' }] } }],
      });
      const ended = system.client.withDeadline(Date.now() + 10_000, () => handle.result());
      await assert.rejects(
        ended,
        (error: { cause?: { type?: string } }) => error.cause?.type === 'InvalidInput',
      );
      assert.ok(!system.world.things.has(`${operation.id}/one`));
    });
  }

  it('refuses a subject of more than 200 characters', async () => {
    const subject = `database:${'x'.repeat(192)}`;
    const handle = await system.client.workflow.start('scripted', {
      workflowId: subject,
      taskQueue,
      args: [{ params: { subject, steps: [] } }],
    });
    await assert.rejects(
      handle.result(),
      (error: { cause?: Error }) => error.cause?.message === 'a subject has at most 200 characters',
    );
  });

  it('survives a flood of signals that do not fit', async () => {
    const run = await held();
    const note = 'x'.repeat(1_900);
    for (let batch = 0; batch < 15; batch += 1) {
      await Promise.all(Array.from({ length: 10 }, () => run.handle.signal('skip', { note, actor: note })));
    }
    await run.handle.signal('retry', {});
    const row = await run.ended();
    assert.equal((await run.handle.describe()).status.name, 'COMPLETED');
    assert.equal(row.state, 'succeeded');
    const { historySize } = await run.handle.describe();
    // a tenth of the limit at which the server terminates: 150 signals of 4 kB are no reason to come near it
    assert.ok((historySize ?? 0) < 5_000_000, `history of ${historySize} bytes`);
  });

  it('says of refused input only that it was ignored, under the id of its sender', async () => {
    const run = await held({ editable: { fields: ['value'] } });
    await run.handle.signal('retry', { id: 'e1', input: { value: 'bad' } });
    const { decisions } = await run.until('verdict', (view) =>
      view.decisions.some(({ accepted }) => !accepted),
    );
    assert.deepEqual(
      decisions.map(({ id, accepted }) => [id, accepted]),
      [['e1', false]],
    );
    await run.handle.signal('retry', { id: 'e2' });
    await run.ended();
  });

  it('goes on with a title that is longer than what Temporal takes as a summary', async () => {
    const run = await system.start([{ key: 'ü'.repeat(150) }]);
    assert.equal((await run.ended()).state, 'succeeded');
  });
});
