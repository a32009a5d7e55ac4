import { and, eq, inArray, sql } from 'drizzle-orm';
import type { Queries, Tx } from '../../db/database.js';
import { operationEvents, operations } from '../../db/schema/index.js';
import type { LogLine } from '../../workflows/contract/records.js';

/** Payload: the operation's id. Long polls and event streams listen here instead of polling the tables. */
export const OPERATION_CHANNEL = 'slipway_operation';

/**
 * Appends lines to an operation's createlog: numbered without gap, each key once. Call it in a transaction: the
 * operation's row is locked until its end. Returns how many lines were new.
 */
export async function appendLines(tx: Tx, operation: string, lines: readonly LogLine[]): Promise<number> {
  const [row] = await tx
    .select({ lastEvent: operations.lastEvent })
    .from(operations)
    .where(eq(operations.id, operation))
    .for('update');
  if (row === undefined) return 0;
  const fresh = await unknownLines(tx, operation, lines);
  if (fresh.length > 0) {
    const first = row.lastEvent + 1;
    await tx
      .insert(operationEvents)
      .values(fresh.map((line, index) => ({ operationId: operation, seq: first + index, ...line })));
    await tx
      .update(operations)
      .set({ lastEvent: row.lastEvent + fresh.length })
      .where(eq(operations.id, operation));
  }
  await notify(tx, operation);
  return fresh.length;
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
