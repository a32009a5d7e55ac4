import { Client } from '@temporalio/client';
import { type NativeConnection, Worker, type WorkflowBundleOption } from '@temporalio/worker';
import type { Db } from '../db/database.js';
import type { Secrets } from '../db/secrets.js';
import type { NoticeActivities } from '../activities/operation/deliver-notices.js';
import { createAdmissions, type WaitPace } from '../activities/operation/admissions.js';
import { createCleanupActivities } from '../activities/operation/cleanup.js';
import { createNightlyActivities } from '../activities/operation/sweep-nightly.js';
import { createOperationRecords, type EditCheck } from '../activities/operation/operation-records.js';
import { createFanOutRecords } from '../activities/operation/children.js';
import {
  createStepInterceptor,
  type StepInterceptorOptions,
} from '../activities/operation/step-interceptor.js';
import { createStepRecords } from '../activities/operation/step-records.js';
import { createPlaceActivities, type PlaceKeepers } from '../activities/operation/places.js';
import { createSubjects, type Describe } from '../activities/operation/subjects.js';
import { createSweepActivities } from '../activities/operation/sweep.js';
import { waitsQueue } from '../workflows/contract/operation/admission.js';
import type { OperationLimits } from '../workflows/contract/operation/operation.js';
import { nameActivities, type WingActivities } from './activities.js';
import { createDescribe } from './describe.js';

export interface WorkerParts {
  connection: NativeConnection;
  namespace: string;
  taskQueue: string;
  workflowBundle: WorkflowBundleOption;
  db: Db;
  secrets: Pick<Secrets, 'redactChunk'>;
  limits: OperationLimits;
  retryWindowMs: number;
  edits: Record<string, EditCheck>;
  /** absent: nothing detached runs anywhere */
  places?: PlaceKeepers;
  /** what acts of workflows name, by wing */
  activities: WingActivities;
  /** absent: nobody is told of anything */
  notices?: NoticeActivities;
  log: StepInterceptorOptions['log'];
  /** tests only */
  inject?: StepInterceptorOptions['inject'];
  /** tests only */
  waitPace?: WaitPace;
}

export interface OperationWorker {
  /** resolves after `shutdown`; rejects when it cannot go on */
  run(): Promise<void>;
  runUntil(work: () => Promise<void>): Promise<void>;
  shutdown(): void;
}

const NO_NOTICES: NoticeActivities = { deliverNotices: () => Promise.resolve({ delivered: 0, open: 0 }) };

/** Short acts and records. SSH and CPU are their limit, not slots: `docs/decisions.md`, Measured. */
const ACTS_AT_ONCE = 40;
/** Waits and followers of long commands cost little; the channels of each host bound what works there. */
const WAITS_AT_ONCE = 500;

/** One worker for workflows, short acts and records, and one for what takes long, so that it never takes their place. */
export async function createWorker(parts: WorkerParts): Promise<OperationWorker> {
  const { connection, namespace, taskQueue, db } = parts;
  const client = new Client({ connection, namespace });
  const describe = createDescribe(client);
  const pace = parts.waitPace === undefined ? {} : { pace: parts.waitPace };
  const waits = { ...createAdmissions({ db, describe, ...pace }), ...createSubjects({ db, describe }) };
  const operation = { ...engineActivities(parts, { client, describe }), ...waits };
  const activities = nameActivities({
    ...parts.activities,
    operation: { ...operation, ...parts.activities.operation },
  });
  const interceptors = { activity: [interceptorOf(parts)] };
  const common = { connection, namespace, activities, interceptors, ...LEAVING };
  const workers = await Promise.all([
    Worker.create({
      ...common,
      taskQueue,
      workflowBundle: parts.workflowBundle,
      // a dead worker's cached workflows are picked up by another after this long instead of 10 s
      stickyQueueScheduleToStartTimeout: '2 seconds',
      maxConcurrentActivityTaskExecutions: ACTS_AT_ONCE,
    }),
    Worker.create({
      ...common,
      taskQueue: waitsQueue(taskQueue),
      maxConcurrentActivityTaskExecutions: WAITS_AT_ONCE,
      maxConcurrentActivityTaskPolls: 2,
    }),
  ]);
  return together(workers);
}

/** Either ends with the other. */
function together(workers: readonly Worker[]): OperationWorker {
  const shutdown = (): void => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  const run = async (): Promise<void> => {
    const runs = await Promise.allSettled(workers.map((worker) => worker.run().finally(shutdown)));
    for (const ended of runs) if (ended.status === 'rejected') throw ended.reason;
  };
  return {
    run,
    shutdown,
    async runUntil(work) {
      const done = run();
      await work().finally(shutdown);
      await done;
    },
  };
}

const LEAVING = {
  // what runs may end by itself on SIGTERM; below the 60 s that compose grants before it kills
  shutdownGraceTime: '45 seconds',
  // the SDK's own is 8 s of the 10 s timeout, and a cancel is only learnt of by a heartbeat
  maxHeartbeatThrottleInterval: '3 seconds',
} as const;

function interceptorOf({ db, secrets, retryWindowMs, log, inject }: WorkerParts) {
  return createStepInterceptor({
    records: createStepRecords(db),
    redact: secrets.redactChunk,
    retryWindowMs,
    log,
    ...(inject === undefined ? {} : { inject }),
  });
}

function engineActivities(
  parts: WorkerParts,
  { client, describe }: { client: Client; describe: Describe },
): object {
  const { db, taskQueue, limits, edits, log, notices = NO_NOTICES, places = {} } = parts;
  const onNotice = () => {
    // the minute sweep delivers what this does not
    notices.deliverNotices().catch((error: unknown) => log.warn({ error: String(error) }, 'a notice waits'));
  };
  const records = createOperationRecords({ db, limits, edits, onNotice });
  return {
    ...records,
    ...notices,
    ...createCleanupActivities(db),
    ...createPlaceActivities(places),
    ...createNightlyActivities(db),
    ...createSweepActivities({ db, client, taskQueue, records }),
    ...createFanOutRecords({ db, describe }),
  };
}
