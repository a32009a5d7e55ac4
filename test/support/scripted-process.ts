import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Services } from './services.js';

export interface ScriptedProcesses {
  /** kills the worker with -9 and starts another */
  restart(): Promise<void>;
  /** lines of what acts did, of all workers so far */
  world(): Promise<string[]>;
  stop(): Promise<void>;
}

const WORKER = new URL('./scripted-worker-process.ts', import.meta.url).pathname;

/** A worker for scripted operations in a process of its own, for tests that kill it. */
export async function startScriptedProcess(
  { databaseUrl, temporalAddress }: Services,
  taskQueue: string,
): Promise<ScriptedProcesses> {
  const dir = await mkdtemp(join(tmpdir(), 'slipway-scripted-'));
  const file = join(dir, 'world');
  let child = start();

  function start(): ChildProcess {
    return spawn(process.execPath, ['--import', 'tsx', WORKER], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        ...process.env,
        DATABASE_URL: databaseUrl,
        TEMPORAL_ADDRESS: temporalAddress,
        TEMPORAL_TASK_QUEUE: taskQueue,
        WORLD: file,
      },
    });
  }

  async function kill(): Promise<void> {
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;
  }

  return {
    async restart() {
      await kill();
      child = start();
    },
    world: async () =>
      (await readFile(file, 'utf8').catch(() => '')).split('\n').filter((line) => line !== ''),
    async stop() {
      await kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
