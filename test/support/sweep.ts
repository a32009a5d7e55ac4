import { randomBytes } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { eq } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import { operationTimeline } from '../../db/schema/index.js';
import {
  BEFORE_HISTORY,
  type HistoryEvent,
  itemsOf,
  type TimelineItem,
} from '../../workflows/contract/operation/timeline.js';

/** One minute sweep, as the schedule would start it. */
export async function sweep(client: Client, taskQueue: string): Promise<void> {
  const workflowId = `sweep-${randomBytes(4).toString('hex')}`;
  await client.workflow.execute('sweepOperations', { workflowId, taskQueue });
}

/** The archive of an operation, in order. */
export async function archiveOf(db: Db, operation: string): Promise<TimelineItem[]> {
  const rows = await db
    .select()
    .from(operationTimeline)
    .where(eq(operationTimeline.operationId, operation))
    .orderBy(operationTimeline.run, operationTimeline.event);
  return rows.map(({ operationId: _id, time, ...item }) => ({ ...item, time: time.toISOString() }));
}

/** The same from the histories themselves, whole, by the SDK's own reader. */
export async function timelineFromHistory(
  client: Client,
  workflowId: string,
  firstRunId: string,
): Promise<TimelineItem[]> {
  const events: HistoryEvent[] = [];
  for (let runId: string | undefined = firstRunId; runId !== undefined; ) {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    events.push(...(history.events ?? []));
    runId = events.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? undefined;
  }
  return itemsOf(events, BEFORE_HISTORY).items;
}
