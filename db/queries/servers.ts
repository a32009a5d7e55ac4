import { and, asc, count, eq, inArray, ne, sql } from 'drizzle-orm';
import type { Queries, Tx } from '../database.js';
import { clients, NAMED, servers } from '../schema/index.js';

export type ServerRow = typeof servers.$inferSelect;
export type NewServer = Omit<typeof servers.$inferInsert, 'id'>;

export async function findServer(db: Queries, id: number): Promise<ServerRow | undefined> {
  const [row] = await db.select().from(servers).where(eq(servers.id, id));
  return row;
}

export async function findServerByHost(db: Queries, host: string): Promise<ServerRow | undefined> {
  const [row] = await db
    .select()
    .from(servers)
    .where(sql`lower(${servers.host}) = lower(${host})`)
    .orderBy(asc(servers.id))
    .limit(1);
  return row;
}

/** Locked until the transaction ends: what is decided from the row stays true. */
export async function lockServer(tx: Tx, id: number): Promise<ServerRow | undefined> {
  const [row] = await tx.select().from(servers).where(eq(servers.id, id)).for('update');
  return row;
}

/** Clients cannot be placed on a server that another transaction is just removing. */
export async function shareServer(tx: Tx, id: number): Promise<ServerRow | undefined> {
  const [row] = await tx.select().from(servers).where(eq(servers.id, id)).for('key share');
  return row;
}

export async function listServers(db: Queries, page: { all: boolean; limit: number; offset: number }) {
  const where = page.all ? undefined : eq(servers.active, true);
  const rows = await db
    .select()
    .from(servers)
    .where(where)
    .orderBy(asc(servers.id))
    .limit(page.limit)
    .offset(page.offset);
  const [total] = await db.select({ total: count() }).from(servers).where(where);
  return { rows, total: total?.total ?? 0 };
}

/** The new row, or undefined when a server with this host and SSH port exists. */
export async function insertServer(tx: Tx, server: NewServer): Promise<ServerRow | undefined> {
  const [row] = await tx.insert(servers).values(server).onConflictDoNothing().returning();
  return row;
}

export async function updateServer(
  db: Queries,
  id: number,
  changes: Partial<NewServer>,
): Promise<ServerRow | undefined> {
  const [row] = await db
    .update(servers)
    .set({ ...changes, updatedAt: new Date() })
    .where(eq(servers.id, id))
    .returning();
  return row;
}

/** A reading is no change of the record. */
export async function recordReading(
  db: Queries,
  id: number,
  reading: NonNullable<ServerRow['reading']>,
): Promise<void> {
  await db.update(servers).set({ reading }).where(eq(servers.id, id));
}

/** Another server with this host and SSH port. */
export async function findServerAt(db: Queries, place: { host: string; sshPort: number; except: number }) {
  const [row] = await db
    .select({ id: servers.id })
    .from(servers)
    .where(
      and(
        sql`lower(${servers.host}) = lower(${place.host})`,
        eq(servers.sshPort, place.sshPort),
        ne(servers.id, place.except),
      ),
    )
    .limit(1);
  return row;
}

/** Removes the record, and those of its clients that are deleted. Fails while others refer to it. */
export async function deleteServer(tx: Tx, id: number): Promise<void> {
  await tx.delete(clients).where(and(eq(clients.serverId, id), eq(clients.status, 'deleted')));
  await tx.delete(servers).where(eq(servers.id, id));
}

/** Clients of each server that are not deleted; a failed one may have left something there. */
export async function countClients(db: Queries, serverIds: number[]): Promise<Map<number, number>> {
  if (serverIds.length === 0) return new Map();
  const rows = await db
    .select({ serverId: clients.serverId, clients: count() })
    .from(clients)
    .where(and(inArray(clients.serverId, serverIds), ne(clients.status, 'deleted')))
    .groupBy(clients.serverId);
  return new Map(rows.map((row) => [row.serverId, row.clients]));
}

export async function listClientsOfServer(db: Queries, serverId: number) {
  return db
    .select({ id: clients.id, versionTag: clients.versionTag, subdomain: clients.subdomain })
    .from(clients)
    .where(and(eq(clients.serverId, serverId), NAMED))
    .orderBy(asc(clients.id));
}
