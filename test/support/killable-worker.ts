import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { programArguments } from './program.js';
import type { System } from './system.js';

export interface KillableWorker {
  /** how often it has died so far */
  deaths(): number;
  /** of the process that runs now */
  pid(): number;
  kill(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void;
  stop(): Promise<void>;
}

const WORKER = new URL('./worker-process.ts', import.meta.url).pathname;

/**
 * A worker process that is started again whenever it dies, as a supervisor would. It stops once `freezeAt` acts are
 * about to begin whose plan says so.
 */
export async function startKillableWorker(system: System, freezeAt = 0): Promise<KillableWorker> {
  const plans = await mkdtemp(join(tmpdir(), 'slipway-kill-'));
  let stopped = false;
  let deaths = 0;
  let child: ChildProcess;

  function start(): void {
    child = spawn(process.execPath, programArguments(WORKER), {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        ...process.env,
        KILL_PLANS: plans,
        FREEZE_AT: String(freezeAt),
        DATABASE_URL: system.databaseUrl,
        SECRET_KEY: system.secretKey,
        TEMPORAL_ADDRESS: system.temporalAddress,
        TEMPORAL_TASK_QUEUE: system.taskQueue,
        SMTP_URL: system.mailUrl,
      },
    });
    child.once('exit', () => {
      if (stopped) return;
      deaths += 1;
      start();
    });
  }
  start();

  return {
    deaths: () => deaths,
    pid: () => child.pid ?? 0,
    kill: (signal) => void child.kill(signal),
    async stop() {
      stopped = true;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
      await rm(plans, { recursive: true, force: true });
    },
  };
}
