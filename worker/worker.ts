import { type NativeConnection, Worker, type WorkflowBundleOption } from '@temporalio/worker';
import type { Db } from '../db/database.js';
import { redactChunk } from '../db/redaction.js';
import type { Secrets } from '../db/secrets.js';
import { createOperationRecords, type EditCheck } from '../activities/records/operation-records.js';
import {
  createStepInterceptor,
  type StepInterceptorOptions,
} from '../activities/records/step-interceptor.js';
import { createStepRecords } from '../activities/records/step-records.js';
import type { OperationLimits } from '../workflows/contract/operation.js';

export interface WorkerParts {
  connection: NativeConnection;
  namespace: string;
  taskQueue: string;
  workflowBundle: WorkflowBundleOption;
  db: Db;
  secrets: Pick<Secrets, 'valuesInUse'>;
  limits: OperationLimits;
  retryWindowMs: number;
  edits: Record<string, EditCheck>;
  /** every activity that acts of workflows name */
  activities: object;
  log: StepInterceptorOptions['log'];
  /** tests only */
  inject?: StepInterceptorOptions['inject'];
}

/** One worker with the operation core around its activities. */
export function createWorker(parts: WorkerParts): Promise<Worker> {
  const { connection, namespace, taskQueue, workflowBundle, db, secrets, limits, retryWindowMs, edits, log } =
    parts;
  const interceptor = createStepInterceptor({
    records: createStepRecords(db),
    redact: (text) => redactChunk(text, secrets.valuesInUse()),
    retryWindowMs,
    log,
    ...(parts.inject === undefined ? {} : { inject: parts.inject }),
  });
  return Worker.create({
    connection,
    namespace,
    taskQueue,
    workflowBundle,
    activities: { ...createOperationRecords({ db, limits, edits }), ...parts.activities },
    interceptors: { activity: [interceptor] },
    // a dead worker's cached workflows are picked up by another after this long instead of 10 s
    stickyQueueScheduleToStartTimeout: '2 seconds',
    // what runs may end by itself on SIGTERM; below the 60 s that compose grants before it kills
    shutdownGraceTime: '45 seconds',
    // SSH and CPU are the limit, not slots: see design/performance-notes
    maxConcurrentActivityTaskExecutions: 40,
  });
}
