import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { decodeTime, isValid } from 'ulid';
import { makeOperationId, OPERATION_ID } from '../../../workflows/contract/operation/ids.js';
import { fenceOf, jobKey } from '../../../workflows/contract/operation/step.js';

/** ULIDs hold 48 bits of milliseconds. */
const times = fc.integer({ min: 0, max: 2 ** 48 - 1 });

describe('an operation id', () => {
  it('is a ULID of its time', () => {
    fc.assert(
      fc.property(times, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (time, random) => {
        const id = makeOperationId(time, () => random);
        assert.match(id, OPERATION_ID);
        assert.ok(isValid(id));
        assert.equal(decodeTime(id), time);
      }),
    );
  });

  it('is ordered by time, as text', () => {
    fc.assert(
      fc.property(times, times, (a, b) => {
        fc.pre(a < b);
        assert.ok(makeOperationId(a, () => 0.999) < makeOperationId(b, () => 0));
      }),
    );
  });
});

describe('the fence of an attempt', () => {
  it('is ordered as text: by operation, then call, then attempt', () => {
    const call = fc.record({
      time: times,
      seq: fc.integer({ min: 1, max: 999_999 }),
      attempt: fc.integer({ min: 1, max: 999_999 }),
    });
    fc.assert(
      fc.property(call, call, (a, b) => {
        const order = a.time - b.time || a.seq - b.seq || a.attempt - b.attempt;
        const [left, right] = [a, b].map(({ time, seq, attempt }) =>
          fenceOf({ operation: makeOperationId(time, () => 0.5), seq, attempt }),
        ) as [string, string];
        assert.equal(Math.sign(order), left < right ? -1 : left > right ? 1 : 0);
      }),
    );
  });

  it('and the key of a job differs by operator retry, not by automatic one', () => {
    const step = { operation: 'OP', step: 'migrate' };
    assert.equal(jobKey({ ...step, try: 1 }), jobKey({ ...step, try: 1 }));
    assert.notEqual(jobKey({ ...step, try: 1 }), jobKey({ ...step, try: 2 }));
  });
});
