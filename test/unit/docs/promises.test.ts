import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { namesIn, testsOf } from '../../support/named-tests.js';

const ROOT = new URL('../../../', import.meta.url).pathname;
const NO_TEST = '—';
const HEADER = ['promise', 'file', 'test'];

interface Row {
  promise: string;
  file: string;
  test: string;
}

function rowsOf(page: string): Row[] {
  return page
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
    .map((line) => {
      const cells = line.slice(1, -1).split(' | ');
      assert.equal(cells.length, HEADER.length, line);
      const [promise = '', file = '', test = ''] = cells.map((cell) => cell.trim());
      return { promise, file, test };
    })
    .filter(({ promise }) => promise !== HEADER[0]);
}

function wrongIn(rows: readonly Row[]): string[] {
  return rows.flatMap(({ promise, file, test }) => {
    if (file === NO_TEST)
      return /^with .{30,}/.test(test) ? [] : [`${promise}: no test, and not with which part`];
    const names = testsOf(file);
    if (names === undefined) return [`${promise}: no file test/${file}`];
    return names.has(test) ? [] : [`${promise}: no test in ${file} is named "${test}"`];
  });
}

describe('the map from promises to tests', () => {
  it('names only tests that exist, and says with which part the others come', () => {
    const rows = rowsOf(readFileSync(`${ROOT}docs/promises.md`, 'utf8'));
    assert.ok(rows.length > 100);
    assert.deepEqual(wrongIn(rows), []);
  });

  it('would notice a missing file, another name, and a promise without test or reason', () => {
    const row = { promise: 'p', file: 'unit/docs/promises', test: 'names no test that exists' };
    assert.equal(wrongIn([row]).length, 1);
    assert.equal(wrongIn([{ ...row, file: 'unit/nothing' }]).length, 1);
    assert.equal(wrongIn([{ ...row, file: NO_TEST, test: 'later' }]).length, 1);
    assert.deepEqual(
      [...namesIn("it(\"the client's\", () => {}); test(`of ${kind}`, f); await('no')")],
      ["the client's", 'of ${kind}'],
    );
  });
});
