import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { ulid } from 'ulid';
import { pollUntil } from '../../lab/poll.js';
import type { OperationRequest } from '../../workflows/contract/operation.js';
import { programArguments } from './program.js';
import type { ScriptedStep } from './scripted-operation.js';
import { openServices, type Services } from './services.js';

const WORKER = new URL('./scripted-worker-process.ts', import.meta.url).pathname;

export interface WorkerProcess {
  child: ChildProcess;
  taskQueue: string;
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
}

/** What is wrong with the machine that a worker runs on. */
export interface Machine {
  /** added to every reading of its clock */
  clockOffsetMs?: number;
  /** `ulimit -n` */
  openFiles?: number;
}

export interface Happening {
  time: number;
  pid: number;
  what: string;
}

export interface ScriptedWorkers {
  services: Services;
  /** answers once it polls; without a name on a task queue of its own */
  startWorker(taskQueue?: string, machine?: Machine): Promise<WorkerProcess>;
  start(
    taskQueue: string,
    steps: ScriptedStep[],
    request?: Partial<OperationRequest>,
  ): Promise<{ id: string; handle: WorkflowHandle }>;
  happenings(): Promise<Happening[]>;
  happens(what: string, test: (happening: Happening) => boolean): Promise<Happening>;
  close(): Promise<void>;
}

/** Workers of scripted operations in processes of their own, which a test kills and whose happenings it reads. */
export async function openScriptedWorkers(): Promise<ScriptedWorkers> {
  const services = await openServices();
  const dir = await mkdtemp(join(tmpdir(), 'slipway-workers-'));
  const workers: WorkerProcess[] = [];

  async function startWorker(
    taskQueue = `timing-${randomBytes(4).toString('hex')}`,
    { clockOffsetMs = 0, openFiles }: Machine = {},
  ): Promise<WorkerProcess> {
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
        WORLD: join(dir, 'world'),
      },
    });
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const worker: WorkerProcess = {
      child,
      taskQueue,
      async kill(signal) {
        child.kill(signal);
        await exited;
      },
    };
    workers.push(worker);
    await happens(`ready of ${child.pid}`, ({ pid, what }) => pid === child.pid && what === 'ready');
    return worker;
  }

  async function happenings(): Promise<Happening[]> {
    const text = await readFile(join(dir, 'world'), 'utf8');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [time, pid, ...what] = line.split(' ');
        return { time: Number(time), pid: Number(pid), what: what.join(' ') };
      });
  }

  function happens(what: string, test: (happening: Happening) => boolean): Promise<Happening> {
    return pollUntil({
      what,
      deadlineMs: 40_000,
      probe: async () => (await happenings()).find(test),
    });
  }

  async function start(taskQueue: string, steps: ScriptedStep[], request: Partial<OperationRequest> = {}) {
    const id = ulid();
    const handle = await services.client.workflow.start('scripted', {
      workflowId: `client:${id}`,
      taskQueue,
      args: [
        {
          operation: { id, actor: 'tester', requestId: null, ...request },
          params: { subject: `client:${id}`, steps },
        },
      ],
    });
    return { id, handle };
  }

  return {
    services,
    startWorker,
    start,
    happenings,
    happens,
    async close() {
      for (const worker of workers) await worker.kill('SIGKILL');
      await services.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
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
