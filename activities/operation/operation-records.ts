import { and, eq, inArray, isNotNull, isNull, ne, lt, notInArray, sql } from 'drizzle-orm';
import type { Db, Tx } from '../../db/database.js';
import type { OperationRow } from '../../db/queries/operation-reads.js';
import { operationSteps, operations, operationUndos, OPEN_UNDOS } from '../../db/schema/index.js';
import { findKind } from '../../workflows/contract/kinds.js';
import { cleanText, failure } from '../../workflows/contract/operation/failures.js';
import { END_STATES, isEnd, type OperationLimits } from '../../workflows/contract/operation/operation.js';
import type {
  ClaimInput,
  ClaimResult,
  EditInput,
  EditResult,
  OperationRecord,
  OperationRecords,
} from '../../workflows/contract/operation/records.js';
import { forgetAdmissions, giveBack, takeAdmission } from './admissions.js';
import { noticeEnd, noticeHold, noticeHostKey } from './notices.js';
import { appendLines, type LockedOperation } from './operation-log.js';

/** Checks changed input of one kind of operation and stores what belongs into records; answers the new parameters. */
export type EditCheck = (params: unknown, input: Record<string, unknown>) => Promise<EditResult>;

/** Class 22 of SQLSTATE. */
const DATA_EXCEPTION = /^22...$/;

export interface OperationRecordsOptions {
  db: Db;
  limits: OperationLimits;
  edits: Record<string, EditCheck>;
  /** there may be something to tell people; called after the record that says so */
  onNotice?: () => void;
}

export function createOperationRecords({
  db,
  limits,
  edits,
  onNotice,
}: OperationRecordsOptions): OperationRecords {
  return {
    claimOperation: (input) => db.transaction((tx) => claim(tx, input, limits)).catch(refuseUnstorable),
    async recordOperation(record) {
      await db.transaction((tx) => writeRecord(tx, writable(record)));
      if (
        record.state === 'holding' ||
        record.error?.kind === 'HostKeyMismatch' ||
        record.state === 'rollback_incomplete'
      )
        onNotice?.();
    },
    async checkEdit({ kind, params, input }: EditInput) {
      const check = edits[kind];
      return check === undefined
        ? { ok: false, message: `${kind} takes no changed input` }
        : check(params, input);
    },
  };
}

/**
 * Binds the operation's row to its first run. A row claimed by another run, or a subject with open undos, is a
 * `Conflict`; an operation that was started by hand gets its row here.
 */
async function claim(tx: Tx, input: ClaimInput, limits: OperationLimits): Promise<ClaimResult> {
  const { request, kind, subject, title, runId, params, places, admission } = input;
  await tx
    .insert(operations)
    .values({
      id: request.id,
      kind,
      subject,
      title,
      state: 'starting',
      actor: request.actor,
      requestId: request.requestId,
      parentId: request.parent?.operation ?? null,
      input: { operation: request, params },
      places,
    })
    .onConflictDoNothing();
  const [row] = await tx.select().from(operations).where(eq(operations.id, request.id)).for('update');
  if (row === undefined || row.subject !== subject || (row.runId !== null && row.runId !== runId)) {
    throw failure('Conflict', `operation ${request.id} belongs to another run`);
  }
  if (isEnd(row.state) && row.runId === runId && row.error?.kind === 'Conflict')
    return { refused: row.error.message };
  if (isEnd(row.state)) throw failure('OperationClosed', `operation ${request.id} is ${row.state}`);
  const cleans = findKind(kind)?.cleaning === true;
  if (cleans) await requireEnds(tx, row);
  const open = cleans ? undefined : await openUndos(tx, subject, request.id);
  if (open !== undefined) return refuse(tx, row, runId, open);
  await tx
    .update(operations)
    .set({ runId, state: 'running', confirmedAt: new Date() })
    // a late attempt takes nothing back that has been recorded since
    .where(and(eq(operations.id, request.id), eq(operations.lastRecord, 0)));
  await appendLines(tx, row, [
    { key: 'claimed', type: 'started', step: null, message: title, level: 'info' },
  ]);
  if (admission === undefined) return { limits };
  const { id: operation, root = operation } = request;
  return { limits, admission: await takeAdmission(tx, { ...admission, operation, root, taking: 1 }) };
}

/** A claim is tried for as long as Postgres is away; what no row can hold, such as a NUL, would be tried for ever. */
function refuseUnstorable(thrown: unknown): never {
  const { code } = ((thrown as Error).cause ?? {}) as { code?: unknown };
  if (typeof code !== 'string' || !DATA_EXCEPTION.test(code)) throw thrown;
  throw failure('InvalidInput', 'it was started with something that cannot be kept, such as a NUL character');
}

/**
 * The workflow id is ours, so whatever else ran has ended; until the sweep has found out how, nobody knows whether its
 * open undos are to be run: it may have succeeded.
 */
async function requireEnds(tx: Tx, { id, subject }: Pick<OperationRow, 'id' | 'subject'>): Promise<void> {
  const [unended] = await tx
    .select({ id: operations.id })
    .from(operations)
    .where(
      and(
        eq(operations.subject, subject),
        ne(operations.id, id),
        isNotNull(operations.runId),
        isNull(operations.endedAt),
      ),
    )
    .limit(1);
  if (unended !== undefined)
    throw failure(
      'Unavailable',
      `how operation ${unended.id} ended is not recorded yet; the sweep does that`,
    );
}

/** The workflow id is ours, so no other operation of the subject runs: what is open stays open without us. */
async function openUndos(tx: Tx, subject: string, operation: string): Promise<string | undefined> {
  const [open] = await tx
    .select({ id: operations.id })
    .from(operations)
    .innerJoin(operationUndos, eq(operationUndos.operationId, operations.id))
    .where(
      and(
        eq(operations.subject, subject),
        ne(operations.id, operation),
        inArray(operationUndos.state, OPEN_UNDOS),
      ),
    )
    .limit(1);
  return open?.id;
}

/** The refusal is answered, not thrown, so that the row's end is written in the same transaction. */
async function refuse(tx: Tx, operation: LockedOperation, runId: string, open: string): Promise<ClaimResult> {
  const message = `operation ${open} left things behind on this subject; clean up first`;
  await tx
    .update(operations)
    .set({ runId, state: 'rolled_back', endedAt: new Date(), error: { kind: 'Conflict', message } })
    .where(eq(operations.id, operation.id));
  await appendLines(tx, operation, [{ key: 'refused', type: 'ended', step: null, message, level: 'error' }]);
  return { refused: message };
}

/** Signals and results may hold what is no text for Postgres: one such text would keep every later record away. */
function writable(record: OperationRecord): OperationRecord {
  const clean = (_key: string, value: unknown) => (typeof value === 'string' ? cleanText(value) : value);
  return JSON.parse(JSON.stringify(record), clean) as OperationRecord;
}

/** The workflow's own changes. Nothing is written after the end. */
async function writeRecord(tx: Tx, record: OperationRecord): Promise<void> {
  const ended = isEnd(record.state);
  const [row] = await tx
    .update(operations)
    .set({
      lastRecord: record.number,
      state: record.state,
      hold: record.hold,
      failedStep: record.failedStep,
      warnings: record.warnings,
      leftovers: record.leftovers,
      decisions: record.decisions,
      result: record.result,
      error: record.error,
      waitingFor: record.waitingFor ?? null,
      ...(ended ? { endedAt: new Date() } : {}),
    })
    .where(
      and(
        eq(operations.id, record.operation),
        notInArray(operations.state, [...END_STATES]),
        lt(operations.lastRecord, record.number),
      ),
    )
    .returning({
      id: operations.id,
      state: operations.state,
      lastEvent: operations.lastEvent,
      kind: operations.kind,
      title: operations.title,
    });
  if (row === undefined) return;
  const { state, hold, error } = record;
  if (state === 'holding' && hold !== null) await noticeHold(tx, row, hold);
  if (state === 'rollback_incomplete') await noticeEnd(tx, row, { state, error });
  else if (ended && error?.kind === 'HostKeyMismatch') await noticeHostKey(tx, row, error);
  if (ended) await forgetAdmissions(tx, record.operation);
  else if (record.giveBack !== undefined) await giveBack(tx, record.operation, record.giveBack);
  for (const { key, state, summary } of record.steps) {
    await tx
      .update(operationSteps)
      .set({ state, ...(summary === undefined ? {} : { summary }) })
      .where(and(eq(operationSteps.operationId, record.operation), eq(operationSteps.key, key)));
  }
  if (record.state === 'succeeded' || record.state === 'succeeded_with_warnings') {
    await tx
      .update(operationUndos)
      .set({ state: 'kept', finishedAt: sql`now()` })
      .where(and(eq(operationUndos.operationId, record.operation), isNull(operationUndos.finishedAt)));
  }
  await appendLines(tx, row, record.lines);
}
