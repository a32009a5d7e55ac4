import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LogLine } from '../../../workflows/contract/operation/records.js';
import { createOutbox } from '../../../workflows/operation/outbox.js';

const line = (key: string): LogLine => ({ key, type: 'held', step: 'one', message: key, level: 'info' });

describe('what waits for the next record', () => {
  it('is taken along by the next one when a record could not be written, in order', () => {
    const outbox = createOutbox();
    outbox.line(line('first'));
    outbox.step({ key: 'one', state: 'holding' });
    const lost = outbox.take();
    outbox.line(line('second'));
    outbox.step({ key: 'two', state: 'failed' });
    outbox.giveBack(lost);
    const { lines, steps } = outbox.take();
    assert.deepEqual(
      lines.map(({ key }) => key),
      ['first', 'second'],
    );
    assert.deepEqual(
      steps.map(({ key }) => key),
      ['one', 'two'],
    );
    assert.deepEqual(outbox.take(), { lines: [], steps: [] });
  });

  it('never says of a step what it was before its newest attempt', () => {
    const outbox = createOutbox();
    outbox.step({ key: 'one', state: 'holding' });
    outbox.begins('one');
    outbox.step({ key: 'two', state: 'holding' });
    const lost = outbox.take();
    outbox.begins('two');
    outbox.giveBack(lost);
    assert.deepEqual(outbox.take().steps, []);
    outbox.step({ key: 'two', state: 'failed' });
    assert.equal(outbox.take().steps.length, 1);
  });
});
