import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { createSaga, type SagaEntry } from '../../../workflows/operation/saga.js';

function entry(step: string, key = step, seq = 1): SagaEntry {
  return { id: `${step}#${seq}`, step, title: step, activity: 'test.unmake', input: { key } };
}

const ids = (entries: SagaEntry[]): string[] => entries.map(({ id }) => id);

describe('a saga', () => {
  it('undoes newest first, and only once', () => {
    const saga = createSaga();
    for (const step of ['a', 'b', 'c']) saga.register(entry(step));
    assert.deepEqual(ids(saga.takeDownTo(0)), ['c#1', 'b#1', 'a#1']);
    assert.deepEqual(saga.takeDownTo(0), []);
  });

  it('keeps the first entry of a repeated act, and adds one for changed input', () => {
    const saga = createSaga();
    const first = saga.register(entry('a', 'old', 1));
    assert.equal(saga.register(entry('a', 'old', 5)), first);
    saga.register(entry('a', 'new', 6));
    assert.deepEqual(ids(saga.takeDownTo(0)), ['a#6', 'a#1']);
  });

  it('gives an act that is done again the entry that could not be undone', () => {
    const saga = createSaga();
    const [failed] = [saga.register(entry('a', 'a', 2)), saga.takeDownTo(0)];
    saga.remember(failed);
    assert.equal(saga.register(entry('a', 'a', 7)), failed);
    assert.deepEqual(ids(saga.takeDownTo(0)), ['a#2']);
    assert.equal(saga.register(entry('a', 'a', 9)).id, 'a#9', 'remembered once');
  });

  it('takes down to a depth and leaves what lies below', () => {
    const saga = createSaga();
    saga.register(entry('a'));
    const depth = saga.depth();
    saga.register(entry('b'));
    saga.register(entry('c'));
    assert.deepEqual(ids(saga.takeDownTo(depth)), ['c#1', 'b#1']);
    assert.deepEqual(ids(saga.takeDownTo(0)), ['a#1']);
  });

  it('forgets the entries of a dropped step, and all at the point of no return', () => {
    const saga = createSaga();
    for (const step of ['a', 'b', 'c']) saga.register(entry(step));
    saga.drop('b');
    assert.equal(saga.depth(), 2);
    saga.keepAll();
    assert.deepEqual(saga.takeDownTo(0), []);
  });

  it('hands every registered undo out exactly once, whatever the depths', () => {
    const step = fc.record({ key: fc.nat(5), depth: fc.option(fc.nat(6)) });
    fc.assert(
      fc.property(fc.array(step), (script) => {
        const saga = createSaga();
        const registered = new Map<string, number>();
        const taken: string[] = [];
        script.forEach(({ key, depth }, seq) => {
          const { id } = saga.register(entry(`s${key}`, `k${key}`, seq));
          registered.set(id, seq);
          if (depth !== null) taken.push(...ids(saga.takeDownTo(depth)));
        });
        taken.push(...ids(saga.takeDownTo(0)));
        assert.deepEqual(taken.sort(), [...registered.keys()].sort());
      }),
    );
  });
});
