/** Runs the test files that it is given, in their order: `node --test` would sort them. */
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { concurrency: { type: 'string' }, timeout: { type: 'string' } },
});

run({
  files: positionals,
  concurrency: Number(values.concurrency),
  timeout: Number(values.timeout),
  forceExit: true,
})
  .on('test:fail', () => {
    process.exitCode = 1;
  })
  .compose(new spec())
  .pipe(process.stdout);
