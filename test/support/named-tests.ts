import { existsSync, readFileSync } from 'node:fs';

const TESTS = new URL('../', import.meta.url).pathname;

/** Names as they stand in the source, of `it` and `test`; templates with their placeholders. */
export function namesIn(source: string): Set<string> {
  const calls = source.matchAll(/\b(?:it|test)\(\s*(['"`])((?:\\.|(?!\1).)*)\1/gs);
  return new Set([...calls].map(([, , name = '']) => name.replaceAll(/\\(['"`])/g, '$1')));
}

/** Tests of a file such as `api/operations`, without `.lab`, `.slow` and `.test.ts`; undefined when there is none. */
export function testsOf(file: string): Set<string> | undefined {
  const paths = ['', '.lab', '.slow'].map((suffix) => `${TESTS}${file}${suffix}.test.ts`);
  const path = paths.find((candidate) => existsSync(candidate));
  return path === undefined ? undefined : namesIn(readFileSync(path, 'utf8'));
}
