import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { ulid } from 'ulid';
import { pollUntil } from '../../process/poll.js';
import type { OperationRequest } from '../../workflows/contract/operation/operation.js';
import type { ScriptedStep } from './scripted-operation.js';
import { type Happening, type Machine, readWorld, spawnScriptedWorker } from './scripted-worker-spawn.js';
import { openServices, type Services } from './services.js';

export interface WorkerProcess {
  child: ChildProcess;
  taskQueue: string;
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
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
  const world = join(dir, 'world');
  const workers: WorkerProcess[] = [];

  async function startWorker(
    taskQueue = `timing-${randomBytes(4).toString('hex')}`,
    machine: Machine = {},
  ): Promise<WorkerProcess> {
    const { child, exited } = spawnScriptedWorker({ services, taskQueue, world, machine });
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

  const happenings = () => readWorld(world);

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
