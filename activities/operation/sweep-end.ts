import { and, eq, inArray, notInArray } from 'drizzle-orm';
import type { Db, Tx } from '../../db/database.js';
import type { OperationRow } from '../../db/queries/operation-reads.js';
import { operations, operationSteps, operationUndos } from '../../db/schema/index.js';
import {
  END_STATES,
  type EndState,
  isEnd,
  type Leftover,
  type StepError,
  type StepState,
} from '../../workflows/contract/operation/operation.js';
import type { OperationRecords } from '../../workflows/contract/operation/records.js';
import { forgetAdmissions } from './admissions.js';
import type { Outcome } from './history-outcome.js';
import { findOpenUndos, leftoversOf } from './open-undos.js';
import { noticeEnd } from './notices.js';
import { appendLines, lockOperation } from './operation-log.js';

const ENDED_STEPS: StepState[] = ['done', 'skipped', 'failed', 'undone', 'undo_failed'];

interface Ports {
  db: Db;
  records: Pick<OperationRecords, 'recordOperation'>;
}

/**
 * Ends the row of an operation that Temporal has closed: by the end record that its history holds, whoever died before
 * it was written; else by how it closed.
 */
export async function recordEnd({ db, records }: Ports, row: OperationRow, outcome: Outcome): Promise<void> {
  const { record, close } = outcome;
  const at = close?.time ?? new Date();
  if (record === null || !isEnd(record.state)) {
    return writeEnd(db, row, { at, outcome, ...endOf(outcome) });
  }
  await db.transaction(async (tx) => {
    const operation = await lockOperation(tx, row.id);
    if (operation === undefined || isEnd(operation.state)) return;
    await healSteps(tx, row.id, outcome);
    await healUndos(tx, row.id, { outcome, leftovers: record.leftovers });
  });
  await records.recordOperation(record);
  const ended = await db
    .update(operations)
    .set({ endedAt: at })
    .where(and(eq(operations.id, row.id), inArray(operations.state, [...END_STATES])))
    .returning({ id: operations.id });
  // its number was not the newest: the row has seen records that this history does not have
  if (ended.length === 0) await writeEnd(db, row, { at, outcome, state: record.state, error: record.error });
}

/** Ends the row of an operation that Temporal does not have any more: nothing was undone. */
export function recordAbsence(db: Db, row: OperationRow): Promise<void> {
  const error: StepError = {
    kind: 'Unexpected',
    message: 'Temporal does not have this operation any more; what it has done was not undone',
  };
  return writeEnd(db, row, { state: 'terminated', error, at: new Date() });
}

/** How a run that announced no end closed: `rollback_incomplete` is found out by its ledger. */
function endOf({ close }: Outcome): { state: EndState; error: StepError | null } {
  if (close === null || close.status === 'terminated' || close.status === 'timed_out') {
    const reason = close === null || close.cause === '' ? '' : ` (${close.cause})`;
    const how = close?.status === 'timed_out' ? 'Temporal timed it out' : 'it was terminated';
    const message = `${how}${reason}; what it has done was not undone`;
    return { state: 'terminated', error: { kind: 'Unexpected', message } };
  }
  if (close.status === 'completed') return { state: 'succeeded', error: null };
  return { state: close.status === 'canceled' ? 'cancelled' : 'rolled_back', error: close.error };
}

interface End {
  state: EndState;
  error: StepError | null;
  at: Date;
  outcome?: Outcome;
}

async function writeEnd(db: Db, row: OperationRow, { state, error, at, outcome }: End): Promise<void> {
  await db.transaction(async (tx) => {
    const operation = await lockOperation(tx, row.id);
    if (operation === undefined || isEnd(operation.state)) return;
    if (outcome !== undefined) await healSteps(tx, row.id, outcome);
    await tx
      .update(operationSteps)
      .set({ state: 'failed', endedAt: at })
      .where(and(eq(operationSteps.operationId, row.id), notInArray(operationSteps.state, ENDED_STEPS)));
    const leftovers = await leftoversOf(tx, row);
    const incomplete = leftovers.length > 0 && (state === 'cancelled' || state === 'rolled_back');
    const end: EndState = incomplete ? 'rollback_incomplete' : state;
    await tx
      .update(operations)
      .set({ state: end, error, leftovers, endedAt: at, hold: null, waitingFor: null })
      .where(eq(operations.id, row.id));
    await forgetAdmissions(tx, row.id);
    if (end === 'terminated' || end === 'rollback_incomplete')
      await noticeEnd(tx, row, { state: end, error });
    const cause = error === null ? '' : `: ${error.message}`;
    const message = `${row.title}: ${end.replaceAll('_', ' ')}${cause}`;
    const level = end === 'succeeded' ? 'info' : 'error';
    await appendLines(tx, operation, [{ key: 'ended', type: 'ended', step: null, message, level }]);
  });
}

async function healSteps(tx: Tx, operation: string, { steps }: Outcome): Promise<void> {
  for (const [key, { state, error, endedAt }] of steps) {
    const ended = ENDED_STEPS.includes(state);
    await tx
      .update(operationSteps)
      .set({ state, ...(error === null ? {} : { error }), ...(ended ? { endedAt } : {}) })
      .where(
        and(
          eq(operationSteps.operationId, operation),
          eq(operationSteps.key, key),
          // what is right already keeps its own time
          notInArray(operationSteps.state, [state]),
        ),
      );
  }
}

/** What the workflow did not undo and does not name as left over was kept. */
async function healUndos(
  tx: Tx,
  operation: string,
  { outcome, leftovers }: { outcome: Outcome; leftovers: Leftover[] },
): Promise<void> {
  for (const { id, step } of await findOpenUndos(tx, operation)) {
    const left = leftovers.some((leftover) => leftover.step === step);
    const state = outcome.undos.get(id) ?? (left ? undefined : 'kept');
    if (state === undefined) continue;
    await tx
      .update(operationUndos)
      .set({ state, finishedAt: new Date() })
      .where(and(eq(operationUndos.operationId, operation), eq(operationUndos.id, id)));
  }
}
