import { and, eq, inArray, ne, sql } from 'drizzle-orm';
import type { Db, Tx } from '../../db/database.js';
import { operationSteps, operationUndos } from '../../db/schema/index.js';
import { failure } from '../../workflows/contract/failures.js';
import { isEnd, type StepError, type StepState } from '../../workflows/contract/operation.js';
import type { StepRef } from '../../workflows/contract/step.js';
import { appendLines, type LockedOperation, lockOperation } from './operation-log.js';

export interface Attempt {
  ref: StepRef;
  attempt: number;
}

/** What the interceptor writes around every attempt of every step. */
export interface StepRecords {
  /** Undo ledger and projection, before the act's first effect. `OperationClosed` when the operation is past it. */
  begin(attempt: Attempt): Promise<void>;
  succeed(attempt: Attempt, summary: string | null): Promise<void>;
  /**
   * `retryWindowMs`: how long after its first failure a call is retried, null = not at all. Answers whether Temporal
   * shall run it again.
   */
  fail(attempt: Attempt, error: StepError, retryWindowMs: number | null): Promise<boolean>;
}

export function createStepRecords(db: Db): StepRecords {
  return {
    begin: (attempt) => db.transaction((tx) => begin(tx, attempt)),
    succeed: (attempt, summary) => db.transaction((tx) => succeed(tx, attempt, summary)),
    fail: (attempt, error, retryWindowMs) => db.transaction((tx) => fail(tx, attempt, error, retryWindowMs)),
  };
}

async function begin(tx: Tx, { ref, attempt }: Attempt): Promise<void> {
  const operation = await lockOperation(tx, ref.operation);
  if (operation === undefined) throw failure('OperationClosed', `operation ${ref.operation} has no record`);
  const closed = isEnd(operation.state) || operation.state === 'rolling_back';
  if (closed && ref.phase === 'do') {
    throw failure(
      'OperationClosed',
      `operation ${ref.operation} is ${operation.state}; no more work is done for it`,
    );
  }
  if (ref.committed === true) await keepUndos(tx, ref.operation);
  if (ref.phase === 'undo') {
    await refuseKept(tx, ref);
    return appendStart(tx, operation, { ref, attempt });
  }
  if (ref.undo !== undefined) {
    const { id, title, activity, input } = ref.undo;
    await tx
      .insert(operationUndos)
      .values({
        operationId: ref.operation,
        id,
        seq: ref.seq,
        step: ref.step,
        title,
        activity,
        input,
        state: 'registered',
      })
      .onConflictDoUpdate({
        target: [operationUndos.operationId, operationUndos.id],
        set: { state: 'registered', error: null, finishedAt: null },
      });
  }
  await putStep(tx, { ref, attempt }, { state: 'running', endedAt: null, error: null });
  await appendStart(tx, operation, { ref, attempt });
}

async function appendStart(tx: Tx, operation: LockedOperation, { ref, attempt }: Attempt): Promise<void> {
  const lines =
    attempt === 1 ? [{ ...lineOf(ref, 'start'), type: 'step_started', message: `${ref.title} …` }] : [];
  await appendLines(tx, operation, lines);
}

/** A reset, or a run whose end was recorded before it died, must not undo what was kept. */
async function refuseKept(tx: Tx, { operation, undo }: StepRef): Promise<void> {
  const [row] = await tx
    .select({ state: operationUndos.state })
    .from(operationUndos)
    .where(and(eq(operationUndos.operationId, operation), eq(operationUndos.id, undo?.id ?? '')));
  if (row?.state === 'kept') throw failure('OperationClosed', `what operation ${operation} made is kept`);
}

async function keepUndos(tx: Tx, operation: string): Promise<void> {
  await tx
    .update(operationUndos)
    .set({ state: 'kept', finishedAt: new Date() })
    .where(and(eq(operationUndos.operationId, operation), eq(operationUndos.state, 'registered')));
}

/** The locked row, or undefined after the end: what a late attempt says then changes nothing. */
async function lockOpen(tx: Tx, id: string): Promise<LockedOperation | undefined> {
  const operation = await lockOperation(tx, id);
  return operation === undefined || isEnd(operation.state) ? undefined : operation;
}

async function succeed(tx: Tx, { ref, attempt }: Attempt, summary: string | null): Promise<void> {
  const operation = await lockOpen(tx, ref.operation);
  if (operation === undefined) return;
  const endedAt = new Date();
  if (ref.phase === 'undo') await finishUndo(tx, ref, 'undone', null);
  if (ref.closes !== undefined) await closeUndos(tx, ref.operation, ref.closes);
  const state: StepState = ref.phase === 'undo' ? 'undone' : 'done';
  await putStep(tx, { ref, attempt }, { state, endedAt, error: null, summary });
  const said = summary === null ? '' : ` (${summary})`;
  await appendLines(tx, operation, [
    {
      ...lineOf(ref, 'end'),
      type: ref.phase === 'undo' ? 'undone' : 'step_done',
      message: `${ref.title}: done${said}`,
    },
  ]);
}

async function fail(
  tx: Tx,
  { ref, attempt }: Attempt,
  error: StepError,
  retryWindowMs: number | null,
): Promise<boolean> {
  const operation = await lockOpen(tx, ref.operation);
  if (operation === undefined) return false;
  const now = new Date();
  const since = (await failingSince(tx, ref)) ?? now;
  const retried = retryWindowMs !== null && now.getTime() - since.getTime() < retryWindowMs;
  if (ref.phase === 'undo' && !retried) await finishUndo(tx, ref, 'failed', error.message);
  const state: StepState = retried ? 'retrying' : ref.phase === 'undo' ? 'undo_failed' : 'failed';
  await putStep(tx, { ref, attempt }, { state, endedAt: retried ? null : now, error, failingSince: since });
  const hint = error.hint === undefined ? '' : ` (${error.hint})`;
  await appendLines(tx, operation, [
    {
      ...lineOf(ref, `fail:${attempt}`),
      type: retried ? 'step_retried' : 'step_failed',
      message: `${ref.title}: ${error.message}${hint}${retried ? '; trying again' : ''}`,
      level: retried ? 'warning' : 'error',
    },
  ]);
  return retried;
}

async function failingSince(tx: Tx, ref: StepRef): Promise<Date | null> {
  const [row] = await tx
    .select({ since: operationSteps.failingSince })
    .from(operationSteps)
    .where(
      and(
        eq(operationSteps.operationId, ref.operation),
        eq(operationSteps.key, ref.step),
        eq(operationSteps.seq, ref.seq),
      ),
    );
  return row?.since ?? null;
}

async function finishUndo(
  tx: Tx,
  ref: StepRef,
  state: 'undone' | 'failed',
  error: string | null,
): Promise<void> {
  if (ref.undo === undefined) return;
  await tx
    .update(operationUndos)
    .set({ state, error, finishedAt: new Date() })
    .where(
      and(
        eq(operationUndos.operationId, ref.operation),
        eq(operationUndos.id, ref.undo.id),
        // a late attempt's failure does not take back what a newer one achieved
        ne(operationUndos.state, 'undone'),
      ),
    );
}

async function closeUndos(tx: Tx, operation: string, step: string): Promise<void> {
  await tx
    .update(operationUndos)
    .set({ state: 'undone', error: null, finishedAt: new Date() })
    .where(
      and(
        eq(operationUndos.operationId, operation),
        eq(operationUndos.step, step),
        inArray(operationUndos.state, ['registered', 'failed']),
      ),
    );
}

interface StepChange {
  state: StepState;
  endedAt: Date | null;
  error: StepError | null;
  summary?: string | null;
  failingSince?: Date;
}

/** The projection only moves upwards: a late attempt changes nothing. */
async function putStep(tx: Tx, { ref, attempt }: Attempt, change: StepChange): Promise<void> {
  const newer = sql`(${operationSteps.seq}, ${operationSteps.attempt}) <= (${ref.seq}::int, ${attempt}::int)`;
  const forgetOlderCalls = sql`case when ${operationSteps.seq} = ${ref.seq}::int then ${operationSteps.failingSince} end`;
  await tx
    .insert(operationSteps)
    .values({
      operationId: ref.operation,
      key: ref.step,
      title: ref.title,
      seq: ref.seq,
      attempt,
      try: ref.try,
      startedAt: new Date(),
      ...change,
    })
    .onConflictDoUpdate({
      target: [operationSteps.operationId, operationSteps.key],
      set: { seq: ref.seq, attempt, try: ref.try, failingSince: forgetOlderCalls, ...change },
      setWhere: newer,
    });
}

function lineOf(ref: StepRef, what: string) {
  return { key: `${ref.seq}:${what}`, step: ref.step, level: 'info' as const };
}
