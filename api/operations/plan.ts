import { isGrpcDeadlineError, WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { TransactionRollbackError } from 'drizzle-orm';
import { ulid } from 'ulid';
import type { Db, Tx } from '../../db/database.js';
import { findOperation } from '../../db/queries/operation-reads.js';
import type { OperationInput } from '../../workflows/contract/operation/operation.js';
import {
  type FailedCheck,
  type OperationPlan,
  PLAN_KIND,
  planId,
  type PlannedStep,
} from '../../workflows/contract/operation/plan.js';
import { ENGINE_ATTRIBUTES } from '../../workflows/contract/operation/search-attributes.js';
import { type OperationKind, requireKind } from '../../workflows/contract/kinds.js';
import { Problem } from '../http/problem.js';
import { findHolder } from './holder.js';
import { describeStart, type Caller, type StartDeps, type StartRequest } from './record-start.js';
import { holderRef, refOf } from './refusals.js';

/** `docs/contract/operations.md`, Reading an operation: whoever asks for a plan waits for it. */
const EXECUTION_TIMEOUT_MS = 30_000;
/** The server needs a moment to end what has timed out. */
const AWAIT_MS = EXECUTION_TIMEOUT_MS + 1_000;
const START_MS = 2_000;

export interface Planned {
  plan: {
    kind: string;
    subject: string;
    title: string;
    steps: PlannedStep[];
    /** what is in the way of a start now */
    busy?: ReturnType<typeof refOf>;
  };
}

/**
 * What a start by this request would do, after the same validation and preparation, of which nothing stays. The
 * operation's own workflow says what. `Problem`: what a start would be refused with, but a busy subject, which the plan
 * names; `check_refused` and `check_failed` with the step; `worker_unavailable`, `temporal_unavailable`.
 */
export async function planOperation<Params>(
  deps: StartDeps,
  { kind, caller, prepare }: StartRequest<Params>,
  digest: string,
): Promise<Planned> {
  const { db, temporal } = deps;
  await temporal.requireReachable();
  const prepared = await rehearse(db, (tx) => prepare(tx, { id: ulid(), digest }));
  if ('existing' in prepared) return nothingToDo(db, prepared.existing);
  const { params, planParams = params } = prepared;
  const { subject, title } = describeStart(kind, prepared);
  const holder = await findHolder(deps, subject);
  const busy = holder.free ? {} : { busy: holderRef(holder) };
  const asked = { kind, subject, title, params: planParams };
  const { steps } = await askWorkflow(deps, asked, caller).catch((error: unknown) => {
    throw problemOfPlan(error, holder.free ? {} : { operation: holderRef(holder) });
  });
  return { plan: { kind, subject, title, steps, ...busy } };
}

/** Runs what writes, and takes all of it back. */
async function rehearse<Result>(db: Db, act: (tx: Tx) => Promise<Result>): Promise<Result> {
  const results: Result[] = [];
  await db
    .transaction(async (tx) => {
      results.push(await act(tx));
      tx.rollback();
    })
    .catch((error: unknown) => {
      if (!(error instanceof TransactionRollbackError)) throw error;
    });
  return results[0] as Result;
}

/** A start would only answer with the operation that an equal request has started. */
async function nothingToDo(db: Db, existing: string): Promise<Planned> {
  const row = await findOperation(db, existing);
  if (row === undefined) throw new Problem('not_found', { detail: `There is no operation ${existing}` });
  const { kind, subject, title } = row;
  return { plan: { kind, subject, title, steps: [], busy: refOf(row) } };
}

interface Asked {
  kind: OperationKind;
  subject: string;
  title: string;
  params: unknown;
}

async function askWorkflow(
  { temporal }: StartDeps,
  { kind, subject, title, params }: Asked,
  { actor, requestId }: Caller,
): Promise<OperationPlan> {
  const input: OperationInput<unknown> = { plan: true, params };
  const handle = await temporal.within(START_MS, () =>
    temporal.client.workflow.start(requireKind(kind).workflow, {
      workflowId: planId(ulid()),
      taskQueue: temporal.taskQueue,
      workflowExecutionTimeout: EXECUTION_TIMEOUT_MS,
      args: [input],
      memo: { kind: PLAN_KIND, subject, title, actor, requestId },
      typedSearchAttributes: [{ key: ENGINE_ATTRIBUTES.OpKind, value: PLAN_KIND }],
    }),
  );
  return (await temporal.within(AWAIT_MS, () => handle.result())) as OperationPlan;
}

function problemOfPlan(error: unknown, busy: { operation?: ReturnType<typeof refOf> }): unknown {
  if (error instanceof WorkflowFailedError && error.cause instanceof ApplicationFailure) {
    return problemOfCheck(error.cause, busy);
  }
  if (!(error instanceof WorkflowFailedError || isGrpcDeadlineError(error))) return error;
  return new Problem('worker_unavailable', {
    detail: 'No plan within 30 s: no worker is running, or the checks take too long',
    headers: { 'Retry-After': '5' },
    cause: error,
  });
}

/** What the caller can mend in the request is 422; what stands in the way elsewhere is 409. */
function problemOfCheck(failure: ApplicationFailure, busy: object): Problem {
  const kind = failure.type ?? 'Unexpected';
  const { step, hint } = (failure.details?.[0] ?? {}) as Partial<FailedCheck>;
  return new Problem(kind === 'InvalidInput' || kind === 'NotFound' ? 'check_refused' : 'check_failed', {
    detail: failure.message,
    members: {
      kind,
      ...(typeof step === 'string' ? { step } : {}),
      ...(typeof hint === 'string' ? { hint } : {}),
      ...busy,
    },
    cause: failure,
  });
}
