import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pollUntil } from '../../lab/poll.js';
import { programArguments } from './program.js';
import type { Services } from './services.js';

export interface ScriptedProcesses {
  /** kills the worker with -9 and starts another */
  restart(): Promise<void>;
  /** lines of what acts did, of all workers so far */
  world(): Promise<string[]>;
  stop(): Promise<void>;
}

const WORKER = new URL('./scripted-worker-process.ts', import.meta.url).pathname;

/** Two seconds alone; the machine may be busy with other files. */
const READY_MS = 60_000;

/** A worker for scripted operations in a process of its own, for tests that kill it. */
export async function startScriptedProcess(
  { databaseUrl, temporalAddress }: Services,
  taskQueue: string,
): Promise<ScriptedProcesses> {
  const dir = await mkdtemp(join(tmpdir(), 'slipway-scripted-'));
  const file = join(dir, 'world');
  const world = async () =>
    (await readFile(file, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
  let { child, exited } = start();

  function start() {
    const child = spawn(process.execPath, programArguments(WORKER), {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        ...process.env,
        DATABASE_URL: databaseUrl,
        TEMPORAL_ADDRESS: temporalAddress,
        TEMPORAL_TASK_QUEUE: taskQueue,
        WORLD: file,
      },
    });
    // from the first moment on: one that has died by itself says so only once
    return { child, exited: new Promise<void>((resolve) => child.once('exit', () => resolve())) };
  }

  async function kill(): Promise<void> {
    child.kill('SIGKILL');
    await exited;
  }

  await pollUntil({
    what: 'the worker is ready',
    deadlineMs: READY_MS,
    probe: async () => (await world()).some((line) => line.endsWith(` ${child.pid} ready`)) || undefined,
  });
  return {
    async restart() {
      await kill();
      ({ child, exited } = start());
    },
    world,
    async stop() {
      await kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
