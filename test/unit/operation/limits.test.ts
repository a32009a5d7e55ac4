import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { msToNumber } from '@temporalio/common/lib/time.js';
import { DEFAULT_LIMITS } from '../../../worker/limits.js';
import { SEARCH_ATTRIBUTES } from '../../../workflows/contract/search-attributes.js';
import { searchAttribute } from '../../../workflows/contract/operation/search-attributes.js';
import { actTiming, RECORD_TIMING, undoTiming } from '../../../workflows/operation/timing.js';
import { forwardRetryWait } from '../../../workflows/operation/hold.js';

const MINUTE_MS = 60_000;

describe('the bounds of operations', () => {
  it('a hold lasts 30 minutes unless something else is said; one that ran out a minute late is late', () => {
    assert.equal(DEFAULT_LIMITS.holdWindowMs, 30 * MINUTE_MS);
    assert.equal(DEFAULT_LIMITS.lateMs, MINUTE_MS);
  });

  it('a forward-only hold tries again after 15 minutes, then after up to 4 hours', () => {
    const waits = [1, 2, 3, 4, 5, 6, 2_000].map((tries) =>
      forwardRetryWait(DEFAULT_LIMITS.forwardRetryMs, tries),
    );
    assert.deepEqual(
      waits.map((ms) => ms / MINUTE_MS),
      [15, 30, 60, 120, 240, 240, 240],
    );
  });

  it('a busy subject is waited for ten minutes, admission an hour', () => {
    assert.deepEqual(
      [DEFAULT_LIMITS.busyWaitMs, DEFAULT_LIMITS.gateWaitMs],
      [10 * MINUTE_MS, 60 * MINUTE_MS],
    );
  });

  it('a child of a fan-out that says nothing is asked about after 5 minutes', () => {
    assert.equal(DEFAULT_LIMITS.silenceMs, 5 * MINUTE_MS);
  });

  it('an undo is retried for up to 15 minutes', () => {
    const { retry } = undoTiming(DEFAULT_LIMITS.undoAttempts);
    let waitedMs = 0;
    let nextMs = msToNumber(retry?.initialInterval ?? 0);
    for (let retried = 1; retried < (retry?.maximumAttempts ?? 0); retried += 1) {
      waitedMs += nextMs;
      nextMs = Math.min(nextMs * (retry?.backoffCoefficient ?? 1), msToNumber(retry?.maximumInterval ?? 0));
    }
    assert.ok(waitedMs > 12 * MINUTE_MS && waitedMs <= 15 * MINUTE_MS, `${waitedMs} ms`);
  });

  it('the server bounds no act by number of attempts, nor by time over all of them', () => {
    const { retry, scheduleToCloseTimeout } = actTiming('2 minutes');
    assert.deepEqual([retry?.maximumAttempts, scheduleToCloseTimeout], [undefined, undefined]);
  });

  it('the end record tries for 30 s', () => {
    assert.equal(msToNumber(RECORD_TIMING.scheduleToCloseTimeout ?? 0), 30_000);
    assert.equal(RECORD_TIMING.retry?.maximumAttempts, undefined);
  });

  it('search attributes are ten keywords at most, and each value is cut to 255 characters', () => {
    const keys = Object.values(SEARCH_ATTRIBUTES);
    assert.ok(keys.length <= 10 && keys.every(({ type }) => type === 'KEYWORD'));
    assert.equal(searchAttribute('Actor', 'x'.repeat(300)).value, 'x'.repeat(255));
    assert.equal(searchAttribute('FailedStep', null).value, null);
  });
});
