import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HoldAction } from '../../../workflows/contract/operation/operation.js';
import type { DecisionPayload } from '../../../workflows/contract/operation/signals.js';
import { type Moment, reasonToIgnore } from '../../../workflows/operation/decisions.js';
import { holdActions, openWindow, renewWindow } from '../../../workflows/operation/hold.js';

const HELD: Moment = {
  operation: 'OP',
  state: 'holding',
  committed: false,
  seen: new Set(['old']),
  hold: {
    number: 2,
    step: 'one',
    until: null,
    actions: ['retry', 'rollback'],
    editable: ['value'],
    error: { kind: 'CommandFailed', message: 'no' },
  },
};
const RUNNING: Moment = { ...HELD, state: 'running', hold: null };
const SKIPPABLE: Moment = {
  ...HELD,
  hold: HELD.hold && { ...HELD.hold, actions: ['retry', 'skip', 'rollback'] },
};
const FORWARD: Moment = { ...HELD, committed: true, hold: HELD.hold && { ...HELD.hold, actions: ['retry'] } };

const TABLE: [string, HoldAction, DecisionPayload, Moment, RegExp | undefined][] = [
  ['a bare retry', 'retry', {}, HELD, undefined],
  ['a bare rollback', 'rollback', {}, HELD, undefined],
  ['one for this hold and operation', 'retry', { hold: 2, operation: 'OP', id: 'new' }, HELD, undefined],
  ['a repeated id', 'retry', { id: 'old' }, HELD, /^already received$/],
  ['another operation', 'retry', { operation: 'OTHER' }, HELD, /another operation/],
  ['an earlier hold', 'retry', { hold: 1 }, HELD, /another hold/],
  ['a running operation', 'retry', {}, RUNNING, /is running, it does not wait/],
  ['a rollback after the commit', 'rollback', {}, FORWARD, /^past_commit$/],
  ['a rollback after the commit, running', 'rollback', {}, { ...RUNNING, committed: true }, /^past_commit$/],
  ['a retry after the commit', 'retry', {}, FORWARD, undefined],
  ['a skip that is not offered', 'skip', { note: 'x' }, HELD, /does not allow skip/],
  ['a skip without a note', 'skip', {}, SKIPPABLE, /needs a note/],
  ['a skip with an empty note', 'skip', { note: ' \n' }, SKIPPABLE, /needs a note/],
  ['a skip with a note', 'skip', { note: 'by hand' }, SKIPPABLE, undefined],
  ['editable input', 'retry', { input: { value: 1 } }, HELD, undefined],
  ['no input in an object', 'rollback', { input: {} }, HELD, undefined],
  [
    'input that is not editable',
    'retry',
    { input: { value: 1, other: 2 } },
    HELD,
    /not changeable here: other/,
  ],
  ['an inherited name as input', 'retry', { input: { toString: 1 } }, HELD, /not changeable here: toString/],
  ['input with a rollback', 'rollback', { input: { value: 1 } }, HELD, /only retry/],
];

describe('a decision', () => {
  for (const [what, action, payload, moment, reason] of TABLE) {
    it(`${reason === undefined ? 'is accepted' : 'is ignored'}: ${what}`, () => {
      const ignored = reasonToIgnore(action, payload, moment);
      if (reason === undefined) assert.equal(ignored, undefined);
      else assert.match(ignored ?? '', reason);
    });
  }

  it('is offered as the step allows and the commit leaves', () => {
    assert.deepEqual(holdActions({ skippable: true, committed: false }), ['retry', 'skip', 'rollback']);
    assert.deepEqual(holdActions({ skippable: false, committed: false }), ['retry', 'rollback']);
    assert.deepEqual(holdActions({ skippable: true, committed: true }), ['retry', 'skip']);
    assert.deepEqual(holdActions({ skippable: false, committed: true }), ['retry']);
  });
});

describe('the window of a hold', () => {
  const limits = { holdWindowMs: 3_600_000, lateMs: 60_000, undoAttempts: 1, forwardRetryMs: 1 };

  it('is over when it ran out in time', () => {
    assert.equal(renewWindow({ until: Date.now() - 1_000, given: false }, limits), undefined);
  });

  it('is given once more, for ten minutes at most, when nobody was there to notice', () => {
    const renewed = renewWindow({ until: Date.now() - 120_000, given: false }, limits);
    assert.ok(renewed?.given === true);
    assert.ok(Math.abs(renewed.until - Date.now() - 600_000) < 5_000);
    assert.equal(renewWindow({ ...renewed, until: Date.now() - 120_000 }, limits), undefined);
    const short = renewWindow(openWindow(-120_000), { ...limits, holdWindowMs: 5_000 });
    assert.ok(short !== undefined && short.until - Date.now() <= 5_000);
  });
});
