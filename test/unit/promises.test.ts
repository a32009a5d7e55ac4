import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

const ROOT = new URL('../../', import.meta.url).pathname;
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

/** Names as they stand in the source, of `it` and `test`; templates with their placeholders. */
function namesIn(source: string): Set<string> {
  const calls = source.matchAll(/\b(?:it|test)\(\s*(['"`])((?:\\.|(?!\1).)*)\1/gs);
  return new Set([...calls].map(([, , name = '']) => name.replaceAll(/\\(['"`])/g, '$1')));
}

function namesOf(file: string): Set<string> | undefined {
  const paths = ['', '.lab', '.slow'].map((suffix) => `${ROOT}test/${file}${suffix}.test.ts`);
  const path = paths.find((candidate) => existsSync(candidate));
  return path === undefined ? undefined : namesIn(readFileSync(path, 'utf8'));
}

function wrongIn(rows: readonly Row[]): string[] {
  return rows.flatMap(({ promise, file, test }) => {
    if (file === NO_TEST)
      return /^with .{30,}/.test(test) ? [] : [`${promise}: no test, and not with which part`];
    const names = namesOf(file);
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
    const row = { promise: 'p', file: 'unit/promises', test: 'names no test that exists' };
    assert.equal(wrongIn([row]).length, 1);
    assert.equal(wrongIn([{ ...row, file: 'unit/nothing' }]).length, 1);
    assert.equal(wrongIn([{ ...row, file: NO_TEST, test: 'later' }]).length, 1);
    assert.deepEqual(
      [...namesIn("it(\"the client's\", () => {}); test(`of ${kind}`, f); await('no')")],
      ["the client's", 'of ${kind}'],
    );
  });
});
