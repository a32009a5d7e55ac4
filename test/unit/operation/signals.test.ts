import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { readDecision } from '../../../workflows/contract/operation/signals.js';

describe('reading a decision', () => {
  it('never throws, and answers either a typed payload or why it is none', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true }), (payload) => {
        const read = readDecision(payload);
        if ('malformed' in read) {
          assert.ok(typeof read.malformed === 'string' && read.malformed !== '');
          return;
        }
        for (const field of ['id', 'note', 'actor', 'operation'] as const) {
          assert.ok(['undefined', 'string'].includes(typeof read[field]));
        }
        assert.ok(read.hold === undefined || Number.isInteger(read.hold));
        assert.ok(read.input === undefined || (typeof read.input === 'object' && read.input !== null));
      }),
      { numRuns: 2_000 },
    );
  });

  it('takes every well-formed payload as it is and drops what it does not know', () => {
    const text = fc.option(fc.string({ maxLength: 200 }), { nil: undefined });
    const payload = fc.record({
      id: text,
      note: text,
      actor: text,
      operation: text,
      hold: fc.option(fc.integer(), { nil: undefined }),
      input: fc.option(fc.dictionary(fc.string(), fc.jsonValue()), { nil: undefined }),
    });
    fc.assert(
      fc.property(payload, (given) => {
        const expected = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
        assert.deepEqual({ ...readDecision({ ...given, unknown: 1 }) }, expected);
      }),
    );
  });

  for (const payload of ['text', 7, true, ['a'], { id: 7 }, { note: {} }, { actor: [] }, { hold: 1.5 }]) {
    it(`calls ${JSON.stringify(payload)} malformed`, () => {
      assert.ok('malformed' in readDecision(payload));
    });
  }

  it('calls a long text, input that is no object, and a hold that is no number malformed', () => {
    assert.ok('malformed' in readDecision({ note: 'x'.repeat(2_001) }));
    assert.ok('malformed' in readDecision({ input: 'x' }));
    assert.ok('malformed' in readDecision({ input: ['x'] }));
    assert.ok('malformed' in readDecision({ hold: '1' }));
  });

  it('takes nothing at all as a bare decision', () => {
    for (const payload of [undefined, null, {}, { note: null, hold: null, input: null }]) {
      assert.deepEqual(readDecision(payload), {});
    }
  });

  it('cleans texts of what Postgres cannot keep', () => {
    for (const note of ['a\u0000b', 'a\ud800b', '\udc00']) {
      const read = readDecision({ note });
      if ('malformed' in read) continue;
      const kept = read.note ?? '';
      assert.ok(!/\p{Surrogate}/u.test(kept) && !kept.includes('\u0000'), JSON.stringify(note));
    }
  });
});
