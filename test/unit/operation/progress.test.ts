import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OperationView } from '../../../workflows/contract/operation/operation.js';
import { advance, type ProgressEvent, toMarkdown } from '../../../workflows/operation/progress.js';

const EMPTY: OperationView = {
  id: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
  kind: 'scripted',
  subject: 'client:1',
  state: 'running',
  title: 'Create client 1',
  actor: 'tester',
  requestId: null,
  startedAt: '2031-01-31T12:00:00.000Z',
  endedAt: null,
  steps: [],
  hold: null,
  warnings: [],
  leftovers: [],
  decisions: [],
  result: null,
};
const time = '2031-01-31T12:00:01.000Z';
const error = { kind: 'CommandFailed', message: 'exit 1\nof a | pipe', hint: 'look' } as const;
const HOLD = {
  number: 1,
  step: 'two',
  until: time,
  actions: ['retry', 'rollback'],
  error,
} satisfies OperationView['hold'];

const after = (...events: ProgressEvent[]): OperationView => events.reduce(advance, EMPTY);
const started = (key: string, attempt = 1): ProgressEvent => ({
  type: 'step_started',
  key,
  title: key.toUpperCase(),
  attempt,
  time,
});

const leftover = (step: string) => ({ step, what: 'volume', remedy: 'run cleanup', error: 'e' });

describe('the view of an operation', () => {
  it('lists steps in the order of their first start, each once', () => {
    const view = after(started('one'), started('two'), started('one', 2));
    assert.deepEqual(
      view.steps.map(({ key, attempt, state }) => [key, attempt, state]),
      [
        ['one', 2, 'running'],
        ['two', 1, 'running'],
      ],
    );
  });

  it('shows an error while it stands, and none once the step is done', () => {
    const failed = after(started('one'), { type: 'step_ended', key: 'one', state: 'failed', time, error });
    assert.equal(failed.steps[0]?.error?.message, error.message);
    const done = advance(failed, { type: 'step_ended', key: 'one', state: 'done', time, summary: 'made' });
    assert.equal(done.steps[0]?.error, undefined);
    assert.deepEqual([done.steps[0]?.state, done.steps[0]?.summary], ['done', 'made']);
  });

  it('holds and goes on', () => {
    const held = after(started('two'), { type: 'held', hold: HOLD });
    assert.deepEqual([held.state, held.hold?.step, held.steps[0]?.state], ['holding', 'two', 'holding']);
    const resumed = advance(held, { type: 'resumed' });
    assert.deepEqual([resumed.state, resumed.hold], ['running', null]);
  });

  it('gathers warnings, decisions and leftovers, and ends once with its result', () => {
    const view = after(
      { type: 'warned', warning: { step: 'a', message: 'w' } },
      { type: 'left_over', leftover: leftover('b'), first: false },
      { type: 'decided', decision: { action: 'retry', time, actor: 'ops', accepted: true } },
      { type: 'ended', state: 'rollback_incomplete', time, result: { url: 'u' } },
    );
    assert.deepEqual([view.warnings.length, view.leftovers.length, view.decisions.length], [1, 1, 1]);
    assert.deepEqual(
      [view.state, view.endedAt, view.hold, view.result],
      ['rollback_incomplete', time, null, { url: 'u' }],
    );
  });

  it('puts what is urgent first among the leftovers, and drops what has healed', () => {
    const view = after(
      { type: 'left_over', leftover: leftover('a'), first: false },
      { type: 'left_over', leftover: leftover('off'), first: true },
      { type: 'left_over', leftover: leftover('b'), first: false },
    );
    assert.deepEqual(
      view.leftovers.map(({ step }) => step),
      ['off', 'a', 'b'],
    );
    const healed = advance(view, { type: 'healed', step: 'off' });
    assert.deepEqual(
      healed.leftovers.map(({ step }) => step),
      ['a', 'b'],
    );
  });

  it('never changes an earlier view', () => {
    const before = after(started('one'));
    const copy = structuredClone(before);
    advance(before, { type: 'step_ended', key: 'one', state: 'done', time });
    advance(before, { type: 'held', hold: { ...HOLD, step: 'one' } });
    assert.deepEqual(before, copy);
  });

  it('ignores the end of a step that never started', () => {
    assert.deepEqual(after({ type: 'step_ended', key: 'x', state: 'done', time }), EMPTY);
  });
});

describe('the markdown of an operation', () => {
  it('is one line of state and a table whose cells no message can break', () => {
    const view = after(started('one'), started('two'), { type: 'held', hold: HOLD });
    const lines = toMarkdown(view).split('\n');
    assert.equal(lines[0], '**Create client 1**: holding');
    assert.ok(lines.some((line) => line.includes('exit 1 of a \\| pipe')));
    assert.ok(lines.some((line) => line === 'Send one of the signals: `retry`, `rollback`'));
    const rows = lines.filter((line) => line.startsWith('| '));
    assert.deepEqual(rows.slice(2), ['| ▶ | ONE | running | 1 |', '| ⏸ | TWO | holding | 1 |']);
  });

  it('names leftovers with their remedy, and a hold without a limit', () => {
    const view = after(
      { type: 'held', hold: { ...HOLD, until: null } },
      { type: 'left_over', leftover: leftover('b'), first: false },
    );
    assert.match(toMarkdown(view), /Waiting for a person without a limit/);
    assert.match(toMarkdown(view), /Left over: volume \(e\)\. run cleanup/);
  });
});
