import { readdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { TestWorkflowEnvironment } from '@temporalio/testing';

// The only way to the SDK's download is a start of its server, which ends at once when it is asked for its usage.
const [downloadDir, version] = process.argv.slice(2);
if (!downloadDir || !version) throw new Error('fetch-temporal <directory> <version>');
const executable = { type: 'cached-download' as const, downloadDir, version };
const ended = TestWorkflowEnvironment.createLocal({ server: { executable, extraArgs: ['--help'] } }).then(
  () => undefined,
  (error: unknown) => error,
);
for (;;) {
  const over = await Promise.race([ended, delay(100, false)]);
  // it has another name until it is whole
  const whole = (await readdir(downloadDir)).some((name) => !name.endsWith('.downloading'));
  if (whole) process.exit(0);
  if (over !== false) throw over;
}
