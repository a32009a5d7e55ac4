import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { testsOf } from '../../support/named-tests.js';

const PAGE = new URL('../../../docs/faults.md', import.meta.url);
const NO_TEST = '—';
/** Rows of the fault matrix; each must be there. */
const FAULTS = 52;

type Row = [number: string, fault: string, file: string, test: string];

function rowsOf(page: string): Row[] {
  return page
    .split('\n')
    .filter((line) => /^\| \d/.test(line))
    .map((line) => {
      const cells = line.slice(2, -2).split(' | ');
      assert.equal(cells.length, 4, line);
      return cells as Row;
    });
}

function wrongIn(rows: readonly Row[]): string[] {
  return rows.flatMap(([number, fault, file, test]) => {
    // whoever has no test says why not
    if (file === NO_TEST) return test.length >= 20 ? [] : [`${number} ${fault}: no test and no reason`];
    const tests = testsOf(file);
    if (tests === undefined) return [`${number} ${fault}: no file test/${file}`];
    return tests.has(test) ? [] : [`${number} ${fault}: no test in ${file} is named "${test}"`];
  });
}

describe('the map from faults to tests', () => {
  it('has every fault, and names only tests that exist', () => {
    const rows = rowsOf(readFileSync(PAGE, 'utf8'));
    const numbers = new Set(rows.map(([number]) => Number(number)));
    const missing = Array.from({ length: FAULTS }, (_, index) => index + 1).filter((n) => !numbers.has(n));
    // the matrix has no 48
    assert.deepEqual(missing, [48]);
    assert.deepEqual(wrongIn(rows), []);
  });

  it('would notice a missing file, another name, and a fault with neither test nor reason', () => {
    assert.equal(wrongIn([['1', 'x', 'unit/nothing', 'x']]).length, 1);
    assert.equal(wrongIn([['1', 'x', 'unit/docs/faults-map', 'another name']]).length, 1);
    assert.equal(wrongIn([['1', 'x', NO_TEST, 'later']]).length, 1);
  });
});
