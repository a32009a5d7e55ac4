/** A worker for scripted operations in a process of its own, for tests that kill it; its world is a file that it appends to. */
import { appendFileSync, closeSync, openSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { NativeConnection } from '@temporalio/worker';
import { openDatabase } from '../../db/database.js';
import { DEFAULT_LIMITS } from '../../worker/limits.js';
import { createWorker } from '../../worker/worker.js';
import { failure } from '../../workflows/contract/operation/failures.js';
import type { ListActivities } from './fan-out-operation.js';
import type { WorldActivities } from './scripted-operation.js';
import { testBundle } from './services.js';

const read = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
};

const tell = (what: string): void => appendFileSync(read('WORLD'), `${Date.now()} ${process.pid} ${what}\n`);

const activities: WorldActivities & ListActivities & { noop(): Promise<void> } = {
  list: ({ children }) => Promise.resolve(children),
  async make({ key, value, takesMs }, step) {
    tell(`make ${step.operation} ${key}`);
    if (key === 'fails-first' && step.try === 1) throw failure('CommandFailed', 'the first try fails');
    if (key === 'blocks' && step.attempt === 1)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5_000);
    if (key === 'exhausts' && step.attempt === 1) await holdAllFiles();
    await delay(takesMs);
    tell(`made ${step.operation} ${key}`);
    return value;
  },
  async unmake({ key }, step) {
    tell(`unmake ${step.operation} ${key}`);
  },
  noop: () => Promise.resolve(),
};

/** As many as this process may open, for some seconds. */
async function holdAllFiles(): Promise<void> {
  const held: number[] = [];
  try {
    for (;;) held.push(openSync('/dev/null', 'r'));
  } catch {
    await delay(3_000);
    for (const file of held) closeSync(file);
  }
}

const { db } = openDatabase({ url: read('DATABASE_URL'), poolSize: 5 });
const worker = await createWorker({
  connection: await NativeConnection.connect({ address: read('TEMPORAL_ADDRESS') }),
  namespace: 'default',
  taskQueue: read('TEMPORAL_TASK_QUEUE'),
  workflowBundle: await testBundle(),
  db,
  secrets: { redactChunk: (text) => text },
  limits: DEFAULT_LIMITS,
  retryWindowMs: 60_000,
  edits: {},
  activities: { test: activities },
  log: { warn: () => undefined },
});
process.once('SIGTERM', () => worker.shutdown());
tell('ready');
await worker.run();
process.exit(0);
