import { randomBytes } from 'node:crypto';
import { eq } from 'drizzle-orm';
import { Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import type { Duration } from '@temporalio/common';
import { ulid } from 'ulid';
import { createCertificateSweep } from '../../activities/clients/certificates/activities.js';
import { createOverdueSources } from '../../activities/clients/moves/overdue-sources.js';
import { gather } from '../../activities/operation/gather.js';
import { createActiveServers } from '../../activities/servers/active-servers.js';
import type { WaitPace } from '../../activities/operation/admissions.js';
import type { StepInterceptorOptions } from '../../activities/operation/step-interceptor.js';
import { operations, operationEvents, operationSteps, operationUndos } from '../../db/schema/index.js';
import { pollUntil } from '../../process/poll.js';
import { DEFAULT_LIMITS } from '../../worker/limits.js';
import type { WingActivities } from '../../worker/activities.js';
import { createWorker } from '../../worker/worker.js';
import type { AdmissionNeed } from '../../workflows/contract/operation/admission.js';
import { type FailureKind, failure } from '../../workflows/contract/operation/failures.js';
import type {
  OperationLimits,
  OperationRequest,
  OperationView,
} from '../../workflows/contract/operation/operation.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';
import type { ListActivities } from './fan-out-operation.js';
import type { ScriptedParams, ScriptedStep, WorldActivities } from './scripted-operation.js';
import { openServices, type OwnServices, type Services, testBundle } from './services.js';

/** What scripted operations make: things by operation and key, and the order of everything that happened. */
export interface World {
  things: Map<string, string>;
  log: string[];
}

/** Of an operation that nobody holds: seconds alone, 40 s beside a full run of all tests on two slow cores. */
const END_MS = 120_000;

export type Fault = (step: StepContext) => Promise<void> | void;

export interface ScriptedSystem extends Services {
  world: World;
  taskQueue: string;
  start(steps: ScriptedStep[], options?: StartOptions): Promise<ScriptedRun>;
  /** for an operation that is started otherwise; places as in `StartOptions` */
  addFaults(operation: string, added: Record<string, Fault>): void;
  stopWorker(): Promise<void>;
  startWorker(bundle?: { code: string }): Promise<void>;
}

export interface OwnParts extends OwnServices {
  taskQueue?: string;
  workflowBundle?: { code: string };
  waitPace?: WaitPace;
}

export interface StartOptions {
  /** before (`do:key`), within (`in:key`) or after (`done:key`) the effect of a step, or before an undo (`undo:key`) */
  faults?: Record<string, Fault>;
  request?: Partial<OperationRequest>;
  value?: string;
  subject?: string;
  workflowTaskTimeout?: Duration;
  admission?: AdmissionNeed;
  borrows?: string[];
  hears?: string;
}

export interface ScriptedRun {
  id: string;
  subject: string;
  handle: WorkflowHandle;
  view(): Promise<OperationView>;
  row(): Promise<typeof operations.$inferSelect | undefined>;
  until(what: string, test: (view: OperationView) => boolean): Promise<OperationView>;
  /** the row's state once the operation has ended */
  ended(): Promise<typeof operations.$inferSelect>;
  lines(): Promise<string[]>;
  undos(): Promise<(typeof operationUndos.$inferSelect)[]>;
  steps(): Promise<(typeof operationSteps.$inferSelect)[]>;
  /** things of this operation that are there now */
  things(): string[];
}

/** A worker whose activities act on a small world in memory, with faults injected through the one interceptor. */
export async function openScriptedSystem(
  limits: Partial<OperationLimits> = {},
  own: OwnParts = {},
): Promise<ScriptedSystem> {
  const services = await openServices(own);
  const workflowBundle = own.workflowBundle ?? (await testBundle());
  const taskQueue = own.taskQueue ?? `test-${randomBytes(4).toString('hex')}`;
  const world: World = { things: new Map(), log: [] };
  const faults = new Map<string, Fault>();
  let running: { stop(): Promise<void> } | undefined;

  async function startWorker(bundle = workflowBundle): Promise<void> {
    const worker = await createWorker({
      connection: services.native,
      namespace: 'default',
      taskQueue,
      workflowBundle: bundle,
      db: services.database.db,
      secrets: { redactChunk: (text) => text },
      limits: { ...DEFAULT_LIMITS, undoAttempts: 3, ...limits },
      retryWindowMs: 1_500,
      edits: {
        scripted: (params, input) =>
          Promise.resolve(
            input['value'] === 'bad'
              ? { ok: false, message: 'bad is not a value' }
              : { ok: true, params: { ...(params as object), ...input } },
          ),
      },
      activities: {
        ...worldActivities(world, faults),
        // what the night asks of the wings' records
        clients: gather(
          createOverdueSources(services.database.db),
          createCertificateSweep(services.database.db),
        ),
        servers: createActiveServers(services.database.db),
      },
      log: { warn: () => undefined },
      inject: injector(faults),
      ...(own.waitPace === undefined ? {} : { waitPace: own.waitPace }),
    });
    const done = worker.run();
    running = {
      async stop() {
        worker.shutdown();
        await done;
      },
    };
  }

  async function stopWorker(): Promise<void> {
    await running?.stop();
    running = undefined;
  }

  await startWorker();
  return {
    ...services,
    world,
    taskQueue,
    startWorker,
    addFaults(operation, added) {
      for (const [place, fault] of Object.entries(added)) faults.set(`${operation} ${place}`, fault);
    },
    stopWorker,
    start: (steps, options = {}) => startRun({ services, world, faults, taskQueue, steps, options }),
    async close() {
      await stopWorker();
      await services.close();
    },
  };
}

function worldActivities(world: World, faults: Map<string, Fault>): WingActivities {
  const test: WorldActivities & ListActivities = {
    list: ({ children }) => Promise.resolve(children),
    async make({ key, value, takesMs }, step) {
      world.log.push(`make ${step.operation} ${key}`);
      world.things.set(`${step.operation}/${key}`, value);
      await faults.get(`${step.operation} in:${key}`)?.(step);
      if (key === 'fails-first' && step.try === 1) throw failure('CommandFailed', 'the first try fails');
      if (key === 'until-cancelled') await Context.current().cancelled;
      const end = Date.now() + takesMs;
      await pollUntil({
        what: 'work',
        deadlineMs: takesMs + 60_000,
        probe: () => (Date.now() >= end ? true : undefined),
      });
      world.log.push(`made ${step.operation} ${key}`);
      if (key === 'huge' && step.try === 1) return value.repeat(1_000_000);
      return value;
    },
    async unmake({ key }, step) {
      await faults.get(`${step.operation} undo:${key}`)?.(step);
      world.log.push(`unmake ${step.operation} ${key}`);
      world.things.delete(`${step.operation}/${key}`);
    },
  };
  return { test };
}

function injector(faults: Map<string, Fault>): NonNullable<StepInterceptorOptions['inject']> {
  return async (point, step) => {
    if (step.phase === 'undo') return;
    await faults.get(`${step.operation} ${point === 'before' ? 'do' : 'done'}:${step.step}`)?.(step);
  };
}

interface StartRun {
  services: Services;
  world: World;
  faults: Map<string, Fault>;
  taskQueue: string;
  steps: ScriptedStep[];
  options: StartOptions;
}

async function startRun({
  services,
  world,
  faults,
  taskQueue,
  steps,
  options,
}: StartRun): Promise<ScriptedRun> {
  const id = options.request?.id ?? ulid();
  const subject = options.subject ?? `client:${id}`;
  for (const [place, fault] of Object.entries(options.faults ?? {})) faults.set(`${id} ${place}`, fault);
  const operation: OperationRequest = { id, actor: 'tester', requestId: null, ...options.request };
  const params: ScriptedParams = {
    subject,
    steps,
    ...(options.value === undefined ? {} : { value: options.value }),
    ...(options.admission === undefined ? {} : { admission: options.admission }),
    ...(options.borrows === undefined ? {} : { borrows: options.borrows }),
    ...(options.hears === undefined ? {} : { hears: options.hears }),
  };
  const handle = await services.client.workflow.start('scripted', {
    workflowId: subject,
    taskQueue,
    args: [{ operation, params }],
    ...(options.workflowTaskTimeout === undefined
      ? {}
      : { workflowTaskTimeout: options.workflowTaskTimeout }),
  });
  const { db } = services.database;
  const view = () => handle.query<OperationView, []>('view');
  const row = async () => (await db.select().from(operations).where(eq(operations.id, id)))[0];
  return {
    id,
    subject,
    handle,
    view,
    row,
    until: (what, test) =>
      pollUntil({
        what,
        deadlineMs: 60_000,
        everyMs: 50, // each is a query, which a worker answers
        probe: async () => {
          const now = await view();
          return test(now) ? now : undefined;
        },
      }),
    ended: () =>
      pollUntil({
        what: `end of ${id}`,
        deadlineMs: END_MS,
        probe: async () => {
          // one long request, which costs less than many; a run that was reset ends without the operation's end
          await services.client
            .withDeadline(Date.now() + END_MS, () => handle.result())
            .catch(() => undefined);
          const { status } = await handle.describe();
          return status.name === 'RUNNING' ? undefined : await row();
        },
      }),
    async lines() {
      const found = await db.select().from(operationEvents).where(eq(operationEvents.operationId, id));
      return found.sort((a, b) => a.seq - b.seq).map((line) => line.message);
    },
    undos: () => db.select().from(operationUndos).where(eq(operationUndos.operationId, id)),
    steps: () => db.select().from(operationSteps).where(eq(operationSteps.operationId, id)),
    things: () =>
      [...world.things.keys()].filter((key) => key.startsWith(`${id}/`)).map((key) => key.slice(27)),
  };
}

/** A fault that strikes the first `times` attempts. */
export function failing(kind: FailureKind, times = Number.POSITIVE_INFINITY): Fault {
  let left = times;
  return () => {
    if (left <= 0) return;
    left -= 1;
    throw failure(kind, `injected ${kind}`);
  };
}
