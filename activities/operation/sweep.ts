import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { and, asc, eq, gt, isNull, isNotNull, lt, ne, or, type SQL } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import type { OperationRow } from '../../db/queries/operation-reads.js';
import { operations } from '../../db/schema/index.js';
import type { OperationState } from '../../workflows/contract/operation/operation.js';
import type { OperationRecords } from '../../workflows/contract/operation/records.js';
import { ENGINE_ATTRIBUTES } from '../../workflows/contract/operation/search-attributes.js';
import { isOpen, isStuck } from '../../workflows/contract/operation/runs.js';
import { type Description, historyPages } from './history.js';
import { createOutcome, type Outcome } from './history-outcome.js';
import { noticeStuck } from './notices.js';
import { archiveOperation } from './operation-archive.js';
import { findRun } from './operation-run.js';
import { recordAbsence, recordEnd } from './sweep-end.js';
import { resolveStart } from './sweep-start.js';

export interface SweepOptions {
  db: Db;
  client: Client;
  taskQueue: string;
  records: Pick<OperationRecords, 'recordOperation'>;
}

export interface Swept {
  looked: number;
  changed: number;
  /** rows that could not be looked at; the next sweep does */
  failed: number;
}

export type SweepActivities = ReturnType<typeof createSweepActivities>;

/**
 * A start without an answer is left to its caller for this long (`docs/contract/operations.md`, Identity and mutual
 * exclusion).
 */
const UNCONFIRMED_MS = 2 * 60_000;
/** A describe takes milliseconds; more at once would only queue up in Temporal's frontend, beside the API's. */
const AT_ONCE = 8;
/** Rows of one query: some hundred kilobytes. */
const BATCH = 200;
/** States of an open operation that its workflow has recorded and shows in `OpState`. */
const SHOWN: (OperationState | undefined)[] = ['running', 'holding', 'rolling_back'];

/** Keeps rows true when whoever should have written them died. Everything is found out anew by each sweep. */
export function createSweepActivities(options: SweepOptions) {
  const { db, client } = options;
  return {
    /** Starts that were left without an answer: found, repeated under the same id, or taken back. */
    resolveStarts: (): Promise<Swept> =>
      eachRow(
        db,
        and(
          isNull(operations.endedAt),
          isNull(operations.confirmedAt),
          isNull(operations.runId),
          lt(operations.startedAt, new Date(Date.now() - UNCONFIRMED_MS)),
        ),
        (row) => resolveStart(options, row),
      ),

    /** Compares every open row with Temporal: ends that were never written, terminated ones, and stuck ones. */
    checkOpenOperations: (): Promise<Swept> =>
      eachRow(
        db,
        and(isNull(operations.endedAt), or(isNotNull(operations.confirmedAt), isNotNull(operations.runId))),
        (row) => checkOpen(options, row),
      ),

    /** Timelines of ended operations, from history, before its retention ends. */
    archiveOperations: (): Promise<Swept> =>
      eachRow(db, and(isNotNull(operations.endedAt), isNull(operations.archivedAt)), (row) =>
        archiveOperation({ db, client }, row),
      ),
  };
}

async function checkOpen(options: SweepOptions, row: OperationRow): Promise<boolean> {
  const { db, client, records } = options;
  const run = await findRun(client, row);
  if (run === null) {
    await recordAbsence(db, row);
    return true;
  }
  if (isOpen(run)) {
    const caughtUp = await catchUp(options, row, run);
    return (await markStuck(db, row, run)) || caughtUp;
  }
  await recordEnd({ db, records }, row, await outcomeOf(client, run));
  return true;
}

/** A hold whose record was lost would be nobody's: it goes on only when a person decides. */
async function catchUp(
  { client, records }: SweepOptions,
  row: OperationRow,
  run: Description,
): Promise<boolean> {
  const shown = run.typedSearchAttributes.get(ENGINE_ATTRIBUTES.OpState) as OperationState | undefined;
  if (shown === row.state || !SHOWN.includes(shown) || !SHOWN.includes(row.state)) return false;
  const { record } = await outcomeOf(client, run);
  if (record === null) return false;
  await records.recordOperation(record);
  return true;
}

async function markStuck(db: Db, row: OperationRow, run: Description): Promise<boolean> {
  const stuck = isStuck(run);
  if (stuck === row.stuck) return false;
  if (stuck) await noticeStuck(db, row);
  await db
    .update(operations)
    .set({ stuck })
    .where(and(eq(operations.id, row.id), ne(operations.stuck, stuck)));
  return true;
}

async function outcomeOf(client: Client, { workflowId, runId }: Description): Promise<Outcome> {
  const { add, outcome } = createOutcome();
  for await (const events of historyPages(client, { workflowId, runId })) add(events);
  return outcome;
}

/** Every row of the unarchived that fits, oldest first, a few at once; one that fails does not keep the others. */
async function eachRow(
  db: Db,
  where: SQL | undefined,
  work: (row: OperationRow) => Promise<boolean>,
): Promise<Swept> {
  const { heartbeat, log } = contextOf();
  const swept: Swept = { looked: 0, changed: 0, failed: 0 };
  for (let after = ''; ; ) {
    const rows = await db
      .select()
      .from(operations)
      .where(and(isNull(operations.archivedAt), gt(operations.id, after), where))
      .orderBy(asc(operations.id))
      .limit(BATCH);
    const queue = rows.values();
    const lane = async () => {
      for (const row of queue) {
        heartbeat();
        swept.looked += 1;
        try {
          if (await work(row)) swept.changed += 1;
        } catch (error) {
          swept.failed += 1;
          log.warn('an operation could not be swept', { operation: row.id, error: String(error) });
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    const last = rows.at(-1);
    if (rows.length < BATCH || last === undefined) return swept;
    after = last.id;
  }
}

function contextOf() {
  const context = Context.current();
  return { heartbeat: () => context.heartbeat(), log: context.log };
}
