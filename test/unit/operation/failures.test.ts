import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import * as fc from 'fast-check';
import {
  capText,
  failure,
  FAILURE_KINDS,
  hintOf,
  isFailureKind,
  kindOf,
  MESSAGE_LIMIT_BYTES,
  REACTIONS,
} from '../../../workflows/contract/operation/failures.js';

const bytes = (text: string): number => Buffer.byteLength(text);
const texts = fc.string({ unit: 'binary', maxLength: 3_000, size: 'max' });
/** what neither UTF-8 nor Postgres can hold */
const HALF_PAIR = /\p{Surrogate}/gu;
const keepable = (text: string): string =>
  text.replaceAll(HALF_PAIR, '\ufffd').replaceAll('\u0000', '\ufffd');

describe('the cap of a text', () => {
  it('leaves short texts as they are and makes every other one fit', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 16, max: 2_000 }), (text, limit) => {
        const capped = capText(text, limit);
        assert.ok(bytes(capped) <= limit, `${bytes(capped)} > ${limit}`);
        if (bytes(text) <= limit && bytes(keepable(text)) <= limit) assert.equal(capped, keepable(text));
      }),
    );
  });

  it('keeps head and tail and breaks no character', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 16, max: 400 }), (text, limit) => {
        const whole = `H${text}${'ü€😀'.repeat(200)}T`;
        const capped = capText(whole, limit);
        const [head, tail] = [
          capped.slice(0, capped.indexOf(' … ')),
          capped.slice(capped.lastIndexOf(' … ') + 3),
        ];
        assert.ok(capped.startsWith('H') && capped.endsWith('T'));
        assert.ok(keepable(whole).startsWith(head) && keepable(whole).endsWith(tail));
        assert.ok(capped.search(HALF_PAIR) < 0 && !capped.includes('\u0000'));
      }),
    );
  });

  it('wastes little: a capped text is nearly as long as it may be', () => {
    assert.ok(bytes(capText('x'.repeat(5_000))) >= MESSAGE_LIMIT_BYTES - 8);
    assert.ok(bytes(capText('😀'.repeat(5_000))) >= MESSAGE_LIMIT_BYTES - 8);
  });
});

describe('a failure', () => {
  for (const kind of FAILURE_KINDS) {
    it(`of kind ${kind} bears its kind, hint and whether it is retried`, () => {
      const made = failure(kind, 'x'.repeat(5_000), { hint: 'mend it' });
      assert.equal(kindOf(made), kind);
      assert.equal(hintOf(made), 'mend it');
      assert.equal(made.nonRetryable, !REACTIONS[kind].retried);
      assert.ok(bytes(made.message) <= MESSAGE_LIMIT_BYTES);
    });
  }

  it('waits as long as it was told', () => {
    assert.equal(failure('RateLimited', 'no', { retryAfterMs: 1_500 }).nextRetryDelay, 1_500);
    assert.equal(failure('RateLimited', 'no').nextRetryDelay, undefined);
  });

  it('is Unexpected when it was not declared', () => {
    for (const error of [new TypeError('x'), ApplicationFailure.create({ type: 'Other' }), 'text', null]) {
      assert.equal(kindOf(error), 'Unexpected');
      assert.equal(hintOf(error), undefined);
    }
    assert.ok(!isFailureKind('toString') && !isFailureKind(7));
  });
});
