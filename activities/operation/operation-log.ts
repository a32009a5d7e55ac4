import { eq, type SQL, sql } from 'drizzle-orm';
import type { Queries, Tx } from '../../db/database.js';
import { OPERATION_CHANNEL } from '../../db/operation-channel.js';
import { operations } from '../../db/schema/index.js';
import type { OperationState } from '../../workflows/contract/operation/operation.js';
import type { LogLine } from '../../workflows/contract/operation/records.js';

/** What whoever locked an operation's row knows of it until the end of the transaction. */
export interface LockedOperation {
  id: string;
  state: OperationState;
  lastEvent: number;
}

/** Locks the row, so that two writers of one operation take turns; undefined where there is none. */
export async function lockOperation(tx: Tx, id: string): Promise<LockedOperation | undefined> {
  const [row] = await tx
    .select({ id: operations.id, state: operations.state, lastEvent: operations.lastEvent })
    .from(operations)
    .where(eq(operations.id, id))
    .for('update');
  return row;
}

/** Appends lines to an operation's createlog: numbered without gap, each key once. Tells whoever waits for changes. */
export async function appendLines(
  tx: Tx,
  { id, lastEvent }: LockedOperation,
  lines: readonly LogLine[],
): Promise<void> {
  if (lines.length === 0) return notify(tx, id);
  await tx.execute(sql`
    with open as (select ${id}::text as id, ${lastEvent}::int as last_event),
      ${appending(lines)}
    select ${notifying(id)}`);
}

/** Parts of a statement for lines, at least one: reads `open (id, last_event)`, whose row of `operations` is locked. */
export function appending(lines: readonly LogLine[]): SQL {
  const rows = lines.map(
    ({ key, type, step, message, level }, place) =>
      sql`(${place}::int, ${key}::text, ${type}::text, ${step}::text, ${message}::text, ${level}::text)`,
  );
  return sql`
    appended as (
      insert into operation_events (operation_id, seq, key, type, step, message, level)
      select open.id, open.last_event + row_number() over (order by place), key, type, step, message, level
      from open, (values ${sql.join(rows, sql`, `)}) as line (place, key, type, step, message, level)
      where not exists (select from operation_events known where known.operation_id = open.id and known.key = line.key)
      on conflict (operation_id, key) do nothing
      returning operation_id
    ),
    counted as (
      update operations set last_event = last_event + total.lines
      from (select operation_id, count(*)::int as lines from appended group by operation_id) as total
      where operations.id = total.operation_id
    )`;
}

export async function notify(db: Queries, operation: string): Promise<void> {
  await db.execute(sql`select ${notifying(operation)}`);
}

/** Told with the commit, never before. */
export function notifying(operation: string): SQL {
  return sql`pg_notify(${OPERATION_CHANNEL}, ${operation})`;
}
