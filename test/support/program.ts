import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Where `compile` puts the JavaScript of a source file. */
export function compiledFile(dir: string, file: string): string {
  return join(dir, file.replace(/\.ts$/, '.mjs'));
}

/** Arguments with which node runs a program of the tests: as `test/run.ts` compiled it, else from its source. */
export function programArguments(source: string): string[] {
  const built = process.env['SLIPWAY_TEST_BUILT'];
  if (built === undefined) return ['--import', 'tsx', source];
  return ['--enable-source-maps', compiledFile(built, relative(ROOT, source))];
}
