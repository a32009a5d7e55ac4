import { and, asc, eq, isNull, lt, or, sql } from 'drizzle-orm';
import type { Queries } from '../database.js';
import { apiKeys } from '../schema/index.js';

export type ApiKeyRow = typeof apiKeys.$inferSelect;

export async function findApiKey(db: Queries, id: string): Promise<ApiKeyRow | undefined> {
  const [row] = await db.select().from(apiKeys).where(eq(apiKeys.id, id));
  return row;
}

export async function listApiKeys(db: Queries): Promise<ApiKeyRow[]> {
  return db.select().from(apiKeys).orderBy(asc(apiKeys.id));
}

/** Undefined when another key has the name. */
export async function insertApiKey(
  db: Queries,
  row: typeof apiKeys.$inferInsert,
): Promise<ApiKeyRow | undefined> {
  const [inserted] = await db
    .insert(apiKeys)
    .values(row)
    .onConflictDoNothing({ target: apiKeys.name })
    .returning();
  return inserted;
}

/** Undefined when there is none. */
export async function deleteApiKey(db: Queries, id: string): Promise<ApiKeyRow | undefined> {
  const [row] = await db.delete(apiKeys).where(eq(apiKeys.id, id)).returning();
  return row;
}

/** At most once in `everyMs`, whatever the number of processes. */
export async function touchApiKey(db: Queries, id: string, everyMs: number): Promise<void> {
  const before = sql`now() - ${everyMs} * interval '1 millisecond'`;
  await db
    .update(apiKeys)
    .set({ lastUsedAt: sql`now()` })
    .where(and(eq(apiKeys.id, id), or(isNull(apiKeys.lastUsedAt), lt(apiKeys.lastUsedAt, before))));
}
