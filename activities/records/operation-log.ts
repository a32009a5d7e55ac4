import { and, eq, inArray, sql } from 'drizzle-orm';
import type { Queries, Tx } from '../../db/database.js';
import { operationEvents, operations } from '../../db/schema/index.js';
import type { OperationState } from '../../workflows/contract/operation.js';
import type { LogLine } from '../../workflows/contract/records.js';

/** Payload: the operation's id. Long polls and event streams listen here instead of polling the tables. */
export const OPERATION_CHANNEL = 'slipway_operation';

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
  operation: LockedOperation,
  lines: readonly LogLine[],
): Promise<void> {
  const fresh = await unknownLines(tx, operation.id, lines);
  if (fresh.length > 0) {
    const rows = fresh.map((line, index) => ({
      operationId: operation.id,
      seq: operation.lastEvent + 1 + index,
      ...line,
    }));
    const lastEvent = operation.lastEvent + fresh.length;
    await tx.insert(operationEvents).values(rows);
    await tx.update(operations).set({ lastEvent }).where(eq(operations.id, operation.id));
  }
  await notify(tx, operation.id);
}

async function unknownLines(tx: Tx, operation: string, lines: readonly LogLine[]): Promise<LogLine[]> {
  if (lines.length === 0) return [];
  const known = await tx
    .select({ key: operationEvents.key })
    .from(operationEvents)
    .where(
      and(
        eq(operationEvents.operationId, operation),
        inArray(
          operationEvents.key,
          lines.map((line) => line.key),
        ),
      ),
    );
  const keys = new Set(known.map((row) => row.key));
  return lines.filter((line) => !keys.has(line.key));
}

export async function notify(db: Queries, operation: string): Promise<void> {
  await db.execute(sql`select pg_notify(${OPERATION_CHANNEL}, ${operation})`);
}
