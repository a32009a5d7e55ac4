import { and, eq, type SQL, sql } from 'drizzle-orm';
import type { Db, Queries, Tx } from '../../db/database.js';
import { operationSteps, operationUndos } from '../../db/schema/index.js';
import { failure } from '../../workflows/contract/operation/failures.js';
import {
  END_STATES,
  isEnd,
  type OperationState,
  type StepError,
  type StepState,
} from '../../workflows/contract/operation/operation.js';
import type { LogLine } from '../../workflows/contract/operation/records.js';
import type { StepRef, Undo } from '../../workflows/contract/operation/step.js';
import { appending, appendLines, lockOperation, notifying } from './operation-log.js';

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
    begin: (attempt) =>
      attempt.ref.phase === 'undo' ? db.transaction((tx) => beginUndo(tx, attempt)) : begin(db, attempt),
    succeed: (attempt, summary) => succeed(db, attempt, summary),
    fail: (attempt, error, retryWindowMs) => db.transaction((tx) => fail(tx, attempt, error, retryWindowMs)),
  };
}

async function begin(db: Db, { ref, attempt }: Attempt): Promise<void> {
  const state = await write(db, {
    operation: ref.operation,
    closed: [...END_STATES, 'rolling_back'],
    parts: [
      ...(ref.committed === true ? [keepUndos(ref.undo)] : []),
      ...(ref.undo === undefined ? [] : [registerUndo(ref, ref.undo)]),
      putStep({ ref, attempt }, { state: 'running', endedAt: null, error: null }),
      ...(attempt === 1 ? [appending([startOf(ref)])] : []),
    ],
  });
  if (state === undefined) throw withoutRecord(ref);
  if (isEnd(state) || state === 'rolling_back') {
    throw failure('OperationClosed', `operation ${ref.operation} is ${state}; no more work is done for it`);
  }
}

async function beginUndo(tx: Tx, { ref, attempt }: Attempt): Promise<void> {
  const operation = await lockOperation(tx, ref.operation);
  if (operation === undefined) throw withoutRecord(ref);
  if (ref.committed === true) await write(tx, { operation: ref.operation, closed: [], parts: [keepUndos()] });
  await refuseKept(tx, ref);
  await appendLines(tx, operation, attempt === 1 ? [startOf(ref)] : []);
}

function withoutRecord({ operation }: StepRef) {
  return failure('OperationClosed', `operation ${operation} has no record`);
}

/** A reset, or a run whose end was recorded before it died, must not undo what was kept. */
async function refuseKept(tx: Tx, { operation, undo }: StepRef): Promise<void> {
  const [row] = await tx
    .select({ state: operationUndos.state })
    .from(operationUndos)
    .where(and(eq(operationUndos.operationId, operation), eq(operationUndos.id, undo?.id ?? '')));
  if (row?.state === 'kept') throw failure('OperationClosed', `what operation ${operation} made is kept`);
}

/** After the end it changes nothing: what a late attempt says then is not heard. */
async function succeed(db: Db, { ref, attempt }: Attempt, summary: string | null): Promise<void> {
  const undone = ref.phase === 'undo';
  const said = summary === null ? '' : ` (${summary})`;
  await write(db, {
    operation: ref.operation,
    closed: END_STATES,
    parts: [
      ...(undone ? finishUndo(ref, 'undone', null) : []),
      ...(ref.closes === undefined ? [] : [closeUndos(ref.closes)]),
      putStep(
        { ref, attempt },
        { state: undone ? 'undone' : 'done', endedAt: new Date(), error: null, summary },
      ),
      appending([
        {
          ...lineOf(ref, 'end'),
          type: undone ? 'undone' : 'step_done',
          message: `${ref.title}: done${said}`,
        },
      ]),
    ],
  });
}

async function fail(
  tx: Tx,
  { ref, attempt }: Attempt,
  error: StepError,
  retryWindowMs: number | null,
): Promise<boolean> {
  const operation = await lockOperation(tx, ref.operation);
  if (operation === undefined || isEnd(operation.state)) return false;
  const now = new Date();
  const since = (await failingSince(tx, ref)) ?? now;
  const retried = retryWindowMs !== null && now.getTime() - since.getTime() < retryWindowMs;
  const state: StepState = retried ? 'retrying' : ref.phase === 'undo' ? 'undo_failed' : 'failed';
  const hint = error.hint === undefined ? '' : ` (${error.hint})`;
  await write(tx, {
    operation: ref.operation,
    closed: END_STATES,
    parts: [
      ...(ref.phase === 'undo' && !retried ? finishUndo(ref, 'failed', error.message) : []),
      putStep({ ref, attempt }, { state, endedAt: retried ? null : now, error, failingSince: since }),
      appending([
        {
          ...lineOf(ref, `fail:${attempt}`),
          type: retried ? 'step_retried' : 'step_failed',
          message: `${ref.title}: ${error.message}${hint}${retried ? '; trying again' : ''}`,
          level: retried ? 'warning' : 'error',
        },
      ]),
    ],
  });
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

interface Write {
  operation: string;
  /** in these states nothing is written any more */
  closed: readonly OperationState[];
  /** `name as (…)`, each of which writes for the row of `open (id, last_event)`, if there is one */
  parts: readonly SQL[];
}

/**
 * Lock, ledger, projection and line in one statement: one round trip, which is most of what a record costs. Whatever
 * it waited for is newer than what it sees of other tables, so its parts judge no row that they do not write, where
 * Postgres judges by the newest one. Answers the operation's state before; undefined where it has no record.
 */
async function write(db: Queries, { operation, closed, parts }: Write): Promise<OperationState | undefined> {
  const [row] = await db.execute<{ state: OperationState }>(sql`
    with locked as (select id, state, last_event from operations where id = ${operation} for update),
      open as (select id, last_event from locked where state <> all (string_to_array(${closed.join()}, ','))),
      ${sql.join([...parts], sql`, `)}
    select state, (select ${notifying(operation)} from open) from locked`);
  return row?.state;
}

/** All that are open but the one that this statement registers anew. */
function keepUndos(but?: Undo): SQL {
  return sql`kept as (
    update operation_undos set state = 'kept', finished_at = ${at(new Date())} from open
    where operation_id = open.id and state = 'registered'
      and operation_undos.id is distinct from ${but?.id ?? null}::text
  )`;
}

function registerUndo({ seq, step }: StepRef, { id, title, activity, input }: Undo): SQL {
  return sql`registered as (
    insert into operation_undos (operation_id, id, seq, step, title, activity, input, state)
    select open.id, ${id}::text, ${seq}::int, ${step}::text, ${title}::text, ${activity}::text,
      ${JSON.stringify(input)}::jsonb, 'registered'
    from open
    on conflict (operation_id, id) do update set state = 'registered', error = null, finished_at = null
  )`;
}

function finishUndo({ undo }: StepRef, state: 'undone' | 'failed', error: string | null): SQL[] {
  if (undo === undefined) return [];
  // a late attempt's failure does not take back what a newer one achieved
  const part = sql`finished as (
    update operation_undos set state = ${state}::text, error = ${error}::text, finished_at = ${at(new Date())} from open
    where operation_id = open.id and operation_undos.id = ${undo.id} and state <> 'undone'
  )`;
  return [part];
}

function closeUndos(step: string): SQL {
  return sql`closed as (
    update operation_undos set state = 'undone', error = null, finished_at = ${at(new Date())} from open
    where operation_id = open.id and step = ${step} and state in ('registered', 'failed')
  )`;
}

interface StepChange {
  state: StepState;
  endedAt: Date | null;
  error: StepError | null;
  summary?: string | null;
  failingSince?: Date;
}

/** The projection only moves upwards: a late attempt changes nothing. */
function putStep({ ref, attempt }: Attempt, change: StepChange): SQL {
  const { state, endedAt, error, summary, failingSince: since = null } = change;
  return sql`step as (
    insert into operation_steps as known
      (operation_id, key, title, state, seq, attempt, try, summary, error, started_at, ended_at, failing_since)
    select open.id, ${ref.step}::text, ${ref.title}::text, ${state}::text, ${ref.seq}::int, ${attempt}::int,
      ${ref.try}::int, ${summary ?? null}::text, ${error === null ? null : JSON.stringify(error)}::jsonb,
      ${at(new Date())}, ${at(endedAt)}, ${at(since)}
    from open
    on conflict (operation_id, key) do update set
      state = excluded.state, seq = excluded.seq, attempt = excluded.attempt, try = excluded.try,
      ${summary === undefined ? sql`` : sql`summary = excluded.summary,`}
      error = excluded.error, ended_at = excluded.ended_at,
      failing_since = coalesce(excluded.failing_since, case when known.seq = excluded.seq then known.failing_since end)
    where (known.seq, known.attempt) <= (excluded.seq, excluded.attempt)
  )`;
}

function at(time: Date | null): SQL {
  return sql`${time?.toISOString() ?? null}::timestamptz`;
}

function startOf(ref: StepRef): LogLine {
  return { ...lineOf(ref, 'start'), type: 'step_started', message: `${ref.title} …` };
}

function lineOf(ref: StepRef, what: string) {
  return { key: `${ref.seq}:${what}`, step: ref.step, level: 'info' as const };
}
