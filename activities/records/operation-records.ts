import { and, eq, inArray, isNull, ne, lt, notInArray, sql } from 'drizzle-orm';
import type { Db, Tx } from '../../db/database.js';
import { operationSteps, operations, operationUndos } from '../../db/schema/index.js';
import { failure } from '../../workflows/contract/failures.js';
import { END_STATES, isEnd, type OperationLimits } from '../../workflows/contract/operation.js';
import type {
  ClaimInput,
  ClaimResult,
  EditInput,
  EditResult,
  OperationRecord,
  OperationRecords,
} from '../../workflows/contract/records.js';
import { appendLines, type LockedOperation } from './operation-log.js';

/** Checks changed input of one kind of operation and stores what belongs into records; answers the new parameters. */
export type EditCheck = (params: unknown, input: Record<string, unknown>) => Promise<EditResult>;

export interface OperationRecordsOptions {
  db: Db;
  limits: OperationLimits;
  edits: Record<string, EditCheck>;
}

/** Kinds that may run on a subject whose undos are still open. */
const CLEANING_KINDS = ['cleanup', 'delete_client'];

export function createOperationRecords({ db, limits, edits }: OperationRecordsOptions): OperationRecords {
  return {
    claimOperation: (input) => db.transaction((tx) => claim(tx, input, limits)),
    recordOperation: (record) => db.transaction((tx) => writeRecord(tx, record)),
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
  const { request, kind, subject, title, runId, params } = input;
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
      input: { operation: request, params },
      ...numbersOf(params),
    })
    .onConflictDoNothing();
  const [row] = await tx.select().from(operations).where(eq(operations.id, request.id)).for('update');
  if (row === undefined || row.subject !== subject || (row.runId !== null && row.runId !== runId)) {
    throw failure('Conflict', `operation ${request.id} belongs to another run`);
  }
  if (isEnd(row.state) && row.runId === runId && row.error?.kind === 'Conflict')
    return { refused: row.error.message };
  if (isEnd(row.state)) throw failure('OperationClosed', `operation ${request.id} is ${row.state}`);
  const open = CLEANING_KINDS.includes(kind) ? undefined : await openUndos(tx, subject, request.id);
  if (open !== undefined) return refuse(tx, row, runId, open);
  await tx
    .update(operations)
    .set({ runId, state: 'running', confirmedAt: new Date() })
    .where(eq(operations.id, request.id));
  await appendLines(tx, row, [
    { key: 'claimed', type: 'started', step: null, message: title, level: 'info' },
  ]);
  return { limits };
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
        inArray(operationUndos.state, ['registered', 'failed']),
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

function numbersOf(params: unknown): { clientId?: number; serverId?: number } {
  const { clientId, serverId } = params as { clientId?: unknown; serverId?: unknown };
  return {
    ...(typeof clientId === 'number' ? { clientId } : {}),
    ...(typeof serverId === 'number' ? { serverId } : {}),
  };
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
      ...(ended ? { endedAt: new Date() } : {}),
    })
    .where(
      and(
        eq(operations.id, record.operation),
        notInArray(operations.state, [...END_STATES]),
        lt(operations.lastRecord, record.number),
      ),
    )
    .returning({ id: operations.id, state: operations.state, lastEvent: operations.lastEvent });
  if (row === undefined) return;
  for (const { key, state } of record.steps) {
    await tx
      .update(operationSteps)
      .set({ state })
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
