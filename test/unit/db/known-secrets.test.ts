import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createKnownSecrets } from '../../../db/known-secrets.js';

const LINGER_MS = 600_000;

describe('the secrets that a process knows', () => {
  it('are of many owners; one that several have is known until the last has gone', (test) => {
    test.mock.timers.enable({ apis: ['Date'], now: Date.now() });
    const known = createKnownSecrets();
    known.add('clients/1', 'shared-value');
    known.add('clients/1', 'shared-value');
    known.add('clients/2', 'shared-value');
    assert.equal(known.count(), 2);
    for (const owner of ['clients/1', 'clients/2']) {
      assert.equal(known.redact('shared-value'), '***');
      known.forget(owner);
      test.mock.timers.tick(LINGER_MS);
      known.add('clients/3', 'another-value');
    }
    assert.equal(known.redact('shared-value and another-value'), 'shared-value and ***');
    assert.equal(known.count(), 1);
  });

  it('are known for some minutes after their owner has gone, and stay when it is used again', (test) => {
    test.mock.timers.enable({ apis: ['Date'], now: Date.now() });
    const known = createKnownSecrets();
    known.add('clients/1', 'value-of-one');
    known.add('clients/2', 'value-of-two');
    known.forget('clients/1');
    known.forget('clients/2');
    known.forget('clients/never-seen');
    test.mock.timers.tick(LINGER_MS - 1);
    known.add('clients/3', 'value-of-three');
    assert.equal(known.redact('value-of-one value-of-two'), '*** ***');
    known.use('clients/2');
    test.mock.timers.tick(1);
    known.add('clients/3', 'more-of-three');
    assert.equal(known.redact('value-of-one value-of-two'), 'value-of-one ***');
    assert.equal(known.use('clients/1'), false);
  });

  it('are bounded: those go whose owners were used longest ago, and that is told once', () => {
    const told: number[] = [];
    const known = createKnownSecrets({ mostKnown: 4, onFull: (count) => told.push(count) });
    const value = (owner: number, name: string) => `${name}-of-owner-${owner}`;
    for (const owner of [1, 2]) for (const name of ['one', 'two']) known.add(`${owner}`, value(owner, name));
    assert.deepEqual(told, []);
    known.use('1');
    known.add('3', value(3, 'one'));
    const seen = [value(1, 'one'), value(1, 'two'), value(2, 'one'), value(2, 'two'), value(3, 'one')];
    assert.deepEqual(
      seen.map((text) => known.redact(text) === '***'),
      [true, true, false, false, true],
    );
    for (let owner = 4; owner < 100; owner += 1) known.add(`${owner}`, value(owner, 'one'));
    assert.equal(known.count(), 4);
    assert.equal(known.redact(value(99, 'one')), '***');
    for (let name = 0; name < 100; name += 1) known.add('100', value(100, `${name}`));
    assert.equal(known.count(), 4);
    assert.equal(known.redact(value(100, '99')), '***');
    assert.deepEqual(told, [5]);
  });
});
