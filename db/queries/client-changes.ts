import { eq, sql } from 'drizzle-orm';
import type { ClientChange } from '../../workflows/contract/clients/client-change.js';
import type { Queries, Tx } from '../database.js';
import { clientChanges } from '../schema/index.js';

export type ClientChangeRow = typeof clientChanges.$inferSelect;

export async function findClientChange(
  db: Queries,
  operationId: string,
): Promise<ClientChangeRow | undefined> {
  const [row] = await db.select().from(clientChanges).where(eq(clientChanges.operationId, operationId));
  return row;
}

/** What an operation is about to change of a client. */
export async function insertClientChange(
  tx: Tx,
  row: { operationId: string; clientId: number; changes: ClientChange },
): Promise<void> {
  await tx.insert(clientChanges).values(row);
}

export async function deleteClientChange(tx: Tx, operationId: string): Promise<void> {
  await tx.delete(clientChanges).where(eq(clientChanges.operationId, operationId));
}

/** Former settings of the client's own database; those that were kept first stay, whatever a later attempt finds. */
export async function keepFormerSettings(
  db: Queries,
  row: { operationId: string; clientId: number; formerSettings: Record<string, string | null> },
): Promise<void> {
  await db
    .insert(clientChanges)
    .values({ ...row, changes: {} })
    .onConflictDoUpdate({
      target: clientChanges.operationId,
      set: {
        formerSettings: sql`coalesce(${clientChanges.formerSettings}, excluded.former_settings)`,
      },
    });
}
