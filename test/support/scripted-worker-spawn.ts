import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { programArguments } from './program.js';
import type { Services } from './services.js';

const WORKER = new URL('./scripted-worker-process.ts', import.meta.url).pathname;

/** What is wrong with the machine that a worker runs on. */
export interface Machine {
  /** added to every reading of its clock */
  clockOffsetMs?: number;
  /** `ulimit -n` */
  openFiles?: number;
}

/** What a worker did, as it told the file `world`. */
export interface Happening {
  time: number;
  pid: number;
  what: string;
}

interface SpawnOptions {
  services: Pick<Services, 'databaseUrl' | 'temporalAddress'>;
  taskQueue: string;
  /** path of the file that it appends to */
  world: string;
  machine?: Machine;
}

/** A worker for scripted operations in a process of its own. */
export function spawnScriptedWorker({ services, taskQueue, world, machine = {} }: SpawnOptions): {
  child: ChildProcess;
  exited: Promise<void>;
} {
  const { clockOffsetMs = 0, openFiles } = machine;
  const clock = clockOffsetMs === 0 ? [] : ['--import', clockShim(clockOffsetMs)];
  const limit = openFiles === undefined ? '' : `ulimit -n ${openFiles}; `;
  const command = [process.execPath, ...clock, ...programArguments(WORKER)];
  const child = spawn('sh', ['-c', `${limit}exec "$@"`, 'sh', ...command], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...process.env,
      DATABASE_URL: services.databaseUrl,
      TEMPORAL_ADDRESS: services.temporalAddress,
      TEMPORAL_TASK_QUEUE: taskQueue,
      WORLD: world,
    },
  });
  // from the first moment on: one that has died by itself says so only once
  return { child, exited: new Promise((resolve) => child.once('exit', () => resolve())) };
}

export async function readWorld(world: string): Promise<Happening[]> {
  const text = await readFile(world, 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [time, pid, ...what] = line.split(' ');
      return { time: Number(time), pid: Number(pid), what: what.join(' ') };
    });
}

/** A module for `--import`: every `Date` of the process, also in its threads, is read from a clock that goes wrong. */
function clockShim(offsetMs: number): string {
  const source = `
    const Real = Date, now = () => Real.now() + ${offsetMs};
    globalThis.Date = new Proxy(Real, {
      construct: (_, given, target) => Reflect.construct(Real, given.length === 0 ? [now()] : given, target),
      apply: () => new Real(now()).toString(),
      get: (_, name) => (name === 'now' ? now : Reflect.get(Real, name)),
    });`;
  return `data:text/javascript,${encodeURIComponent(source)}`;
}
