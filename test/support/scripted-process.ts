import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pollUntil } from '../../process/poll.js';
import { type Happening, readWorld, spawnScriptedWorker } from './scripted-worker-spawn.js';
import type { Services } from './services.js';

export interface ScriptedProcesses {
  /** kills the worker with -9 and starts another */
  restart(): Promise<void>;
  /** what acts did, of all workers so far */
  world(): Promise<Happening[]>;
  stop(): Promise<void>;
}

/** Two seconds alone; the machine may be busy with other files. */
const READY_MS = 60_000;

/** A worker for scripted operations in a process of its own, for tests that kill it. */
export async function startScriptedProcess(
  services: Services,
  taskQueue: string,
): Promise<ScriptedProcesses> {
  const dir = await mkdtemp(join(tmpdir(), 'slipway-scripted-'));
  const file = join(dir, 'world');
  const start = () => spawnScriptedWorker({ services, taskQueue, world: file });
  const world = () => readWorld(file);
  let { child, exited } = start();

  async function kill(): Promise<void> {
    child.kill('SIGKILL');
    await exited;
  }

  await pollUntil({
    what: 'the worker is ready',
    deadlineMs: READY_MS,
    probe: async () => (await world()).find(({ pid, what }) => pid === child.pid && what === 'ready'),
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
