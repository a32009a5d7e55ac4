import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isOpen } from '../../../workflows/contract/operation/runs.js';

describe('whether a run holds its subject', () => {
  const states: [string, boolean][] = [
    ['RUNNING', true],
    ['PAUSED', true],
    ['UNKNOWN', true],
    ['COMPLETED', false],
    ['FAILED', false],
    ['CANCELLED', false],
    ['TERMINATED', false],
    ['TIMED_OUT', false],
  ];
  for (const [name, open] of states) {
    it(`${name}: ${open ? 'yes' : 'no'}`, () => {
      assert.equal(isOpen({ status: { name } }), open);
    });
  }
});
