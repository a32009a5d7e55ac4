import type { Client } from '@temporalio/client';
import { eq } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import type { OperationRow } from '../../db/queries/operation-reads.js';
import { operations, operationTimeline } from '../../db/schema/index.js';
import { BEFORE_HISTORY, type HistoryEvent, itemsOf } from '../../workflows/contract/operation/timeline.js';
import { continuedAs, historyPages } from './history.js';
import { firstRunOf, isOpen } from '../../workflows/contract/operation/runs.js';
import { findRun } from './operation-run.js';

interface Ports {
  db: Db;
  client: Client;
}

/**
 * Writes the timeline of an ended operation from the histories of its runs, once: false while Temporal has not closed
 * it. An operation that Temporal does not have any more is archived with what is there: nothing.
 */
export async function archiveOperation({ db, client }: Ports, row: OperationRow): Promise<boolean> {
  const description = await findRun(client, row);
  if (description !== null && isOpen(description)) return false;
  let runId = row.runId ?? (description === null ? undefined : firstRunOf(description));
  let state = BEFORE_HISTORY;
  while (runId !== undefined) {
    let last: HistoryEvent | undefined;
    for await (const events of historyPages(client, { workflowId: row.subject, runId })) {
      const stretch = itemsOf(events, state);
      state = stretch.state;
      last = events.at(-1) ?? last;
      await insertItems(db, row.id, stretch.items);
    }
    runId = continuedAs(last);
  }
  await db.update(operations).set({ archivedAt: new Date() }).where(eq(operations.id, row.id));
  return true;
}

async function insertItems(
  db: Db,
  operationId: string,
  items: ReturnType<typeof itemsOf>['items'],
): Promise<void> {
  if (items.length === 0) return;
  const rows = items.map(({ time, ...item }) => ({ operationId, ...item, time: new Date(time) }));
  await db.insert(operationTimeline).values(rows).onConflictDoNothing();
}
