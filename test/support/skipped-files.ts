import { test } from 'node:test';

/** Stands for the test files that cannot run on this machine, so that the runner counts them as skipped. */
const files = JSON.parse(process.env['SLIPWAY_TEST_SKIP'] ?? '[]') as { file: string; reason: string }[];

for (const { file, reason } of files) test(file, { skip: reason });
