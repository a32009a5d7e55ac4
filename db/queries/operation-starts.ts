import { and, desc, eq, exists, inArray, isNotNull, isNull, or, sql } from 'drizzle-orm';
import type { Queries, Tx } from '../database.js';
import { idempotencyKeys, operations, operationUndos, OPEN_UNDOS } from '../schema/index.js';
import type { OperationRow } from './operation-reads.js';

export type IdempotencyRow = typeof idempotencyKeys.$inferSelect;

export interface KeyPlace {
  actor: string;
  route: string;
  key: string;
}

/**
 * Takes the key for a new operation. Waits for a transaction that is just taking the same one; answers the row of
 * whoever had it first, or null when it is ours now.
 */
export async function takeIdempotencyKey(
  tx: Tx,
  row: Omit<IdempotencyRow, 'createdAt'>,
): Promise<IdempotencyRow | null> {
  const taken = await tx
    .insert(idempotencyKeys)
    .values(row)
    .onConflictDoNothing()
    .returning({ key: idempotencyKeys.key });
  if (taken.length > 0) return null;
  const [existing] = await tx.select().from(idempotencyKeys).where(keyIs(row));
  if (existing === undefined) throw new Error('the idempotency key was given back meanwhile');
  return existing;
}

export async function findIdempotencyKey(db: Queries, place: KeyPlace): Promise<IdempotencyRow | undefined> {
  const [row] = await db.select().from(idempotencyKeys).where(keyIs(place));
  return row;
}

/** The subject is known only after its row was made. */
export async function completeIdempotencyKey(tx: Tx, place: KeyPlace, subjectId: string): Promise<void> {
  await tx.update(idempotencyKeys).set({ subjectId }).where(keyIs(place));
}

function keyIs({ actor, route, key }: KeyPlace) {
  return and(
    eq(idempotencyKeys.actor, actor),
    eq(idempotencyKeys.route, route),
    eq(idempotencyKeys.key, key),
  );
}

export async function insertOperation(tx: Tx, row: typeof operations.$inferInsert): Promise<OperationRow> {
  const [inserted] = await tx.insert(operations).values(row).returning();
  if (inserted === undefined) throw new Error('the operation was not written');
  return inserted;
}

/** Temporal has it. Answers the state as recorded by now, or undefined when the row is gone. */
export async function confirmOperation(db: Queries, id: string): Promise<OperationRow | undefined> {
  const [row] = await db
    .update(operations)
    .set({ confirmedAt: sql`coalesce(${operations.confirmedAt}, now())` })
    .where(eq(operations.id, id))
    .returning();
  return row;
}

/** Takes back a row whose workflow was refused, with its keys. False when a workflow has claimed it after all. */
export async function removeUnstartedOperation(tx: Tx, id: string): Promise<boolean> {
  const unstarted = and(eq(operations.id, id), isNull(operations.confirmedAt), isNull(operations.runId));
  const removed = await tx.delete(operations).where(unstarted).returning({ id: operations.id });
  if (removed.length === 0) return false;
  await tx.delete(idempotencyKeys).where(eq(idempotencyKeys.operationId, id));
  return true;
}

/** An operation of the subject that Temporal is known to have taken and that has no end by its row. */
export async function findOpenOperation(db: Queries, subject: string): Promise<OperationRow | undefined> {
  const [row] = await db
    .select()
    .from(operations)
    .where(
      and(
        eq(operations.subject, subject),
        isNull(operations.endedAt),
        or(isNotNull(operations.confirmedAt), isNotNull(operations.runId)),
      ),
    )
    .orderBy(desc(operations.id))
    .limit(1);
  return row;
}

/** The newest ended operation of the subject that left undos open: until a clean-up has run them, others must wait. */
export async function findLeaver(db: Queries, subject: string): Promise<OperationRow | undefined> {
  const open = db
    .select({ id: operationUndos.id })
    .from(operationUndos)
    .where(and(eq(operationUndos.operationId, operations.id), inArray(operationUndos.state, OPEN_UNDOS)));
  const [row] = await db
    .select()
    .from(operations)
    .where(and(eq(operations.subject, subject), isNotNull(operations.endedAt), exists(open)))
    .orderBy(desc(operations.id))
    .limit(1);
  return row;
}

/** An earlier equal request whose start was left unconfirmed: to be started under its own id, not once more. */
export async function findUnconfirmedTwin(db: Queries, twin: { subject: string; requestDigest: string }) {
  const [row] = await db
    .select()
    .from(operations)
    .where(
      and(
        eq(operations.subject, twin.subject),
        eq(operations.requestDigest, twin.requestDigest),
        isNull(operations.confirmedAt),
        isNull(operations.runId),
        isNull(operations.endedAt),
      ),
    )
    .orderBy(desc(operations.id))
    .limit(1);
  return row;
}
