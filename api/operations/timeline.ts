import { and, asc, eq, sql } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import { listEvents, type OperationRow } from '../../db/queries/operation-reads.js';
import { operationTimeline } from '../../db/schema/index.js';
import { isRunOf } from '../../workflows/contract/operation/runs.js';
import {
  BEFORE_HISTORY,
  TIMELINE_TYPES,
  type TimelineItem,
} from '../../workflows/contract/operation/timeline.js';
import { isTemporalAway } from '../http/errors.js';
import type { Temporal } from './temporal.js';
import { describeRun } from './holder.js';
import { readHistory } from './timeline-history.js';
import { decodeCursor, encodeCursor, type Place } from './timeline-place.js';

export interface TimelinePage {
  items: TimelineItem[];
  /** null at the end of a closed operation */
  cursor: string | null;
  /** `projection`: neither Temporal nor the archive has it; its items are the lines of the log */
  source: 'history' | 'archive' | 'projection';
}

interface Deps {
  db: Db;
  temporal: Temporal;
}

/** A page of an operation's timeline; a cursor taken while it ran goes on in the archive once it is there. */
export async function readTimeline(
  deps: Deps,
  row: OperationRow,
  page: { cursor: string | undefined; limit: number },
): Promise<TimelinePage> {
  const { limit } = page;
  const at = page.cursor === undefined ? undefined : decodeCursor(page.cursor);
  if (at !== undefined && 'line' in at) return readLines(deps.db, row, { after: at.line, limit });
  if (row.archivedAt !== null) {
    const archived = await readArchive(deps.db, row, { at, limit });
    // what Temporal had lost before the sweep could archive it
    if (archived.items.length > 0 || at !== undefined) return archived;
    return readLines(deps.db, row, { after: 0, limit });
  }
  try {
    const live = await readLive(deps, row, { at, limit });
    if (live !== undefined) return live;
  } catch (error) {
    // only the history knows what comes behind its cursor
    if (at !== undefined || !isTemporalAway(error)) throw error;
  }
  return readLines(deps.db, row, { after: 0, limit });
}

async function readLive(
  { temporal }: Deps,
  row: OperationRow,
  { at, limit }: { at: Place | undefined; limit: number },
): Promise<TimelinePage | undefined> {
  const from = at ?? (await firstPlace(temporal, row));
  if (from === undefined) return undefined;
  const read = await readHistory(temporal, { subject: row.subject, from, limit });
  if (read === undefined) return undefined;
  const { items, next } = read;
  return { items, cursor: next === null ? null : encodeCursor(next), source: 'history' };
}

async function firstPlace(temporal: Temporal, row: OperationRow): Promise<Place | undefined> {
  let { runId } = row;
  if (runId === null) {
    const run = await describeRun(temporal, row.subject);
    if (run !== null && isRunOf(run, row)) runId = run.firstRunId;
  }
  return runId === null
    ? undefined
    : { run: 1, after: 0, runId, token: null, seen: 0, state: BEFORE_HISTORY };
}

async function readArchive(
  db: Db,
  row: OperationRow,
  { at, limit }: { at: Place | undefined; limit: number },
): Promise<TimelinePage> {
  const { run = 0, after = 0 } = at ?? {};
  const found = await db
    .select()
    .from(operationTimeline)
    .where(
      and(
        eq(operationTimeline.operationId, row.id),
        sql`(${operationTimeline.run}, ${operationTimeline.event}) > (${run}::int, ${after}::int)`,
      ),
    )
    .orderBy(asc(operationTimeline.run), asc(operationTimeline.event))
    .limit(limit + 1);
  const items = found
    .slice(0, limit)
    .map(({ operationId: _id, time, ...item }) => ({ ...item, time: time.toISOString() }));
  const last = items.at(-1);
  const more = found.length > limit && last !== undefined;
  const place = (item: TimelineItem): Place => ({
    ...{ run: item.run, after: item.event, runId: '', token: null, seen: 0 },
    state: BEFORE_HISTORY,
  });
  return { items, cursor: more ? encodeCursor(place(last)) : null, source: 'archive' };
}

async function readLines(
  db: Db,
  row: OperationRow,
  { after, limit }: { after: number; limit: number },
): Promise<TimelinePage> {
  const lines = await listEvents(db, { operationId: row.id, after, limit });
  const items = lines.flatMap(({ seq, time, type, step, message }) => {
    const known = TIMELINE_TYPES.find((name) => name === type);
    return known === undefined
      ? []
      : [{ run: 0, event: seq, time: time.toISOString(), type: known, step, message, data: {} }];
  });
  const last = lines.at(-1);
  const cursor = lines.length < limit || last === undefined ? null : encodeCursor({ line: last.seq });
  return { items, cursor, source: 'projection' };
}
