import { and, asc, count, desc, eq, ilike, inArray, isNull, lt, ne, sql } from 'drizzle-orm';
import { builtOnce, type Queries, type Tx } from '../database.js';
import { backups, billingTypes, clients, NAMED, operations, servers } from '../schema/index.js';
import type { ClientStatus } from '../../workflows/contract/clients/statuses.js';
import { END_STATES } from '../../workflows/contract/operation/operation.js';

export type ClientRow = typeof clients.$inferSelect;
export type NewClient = Omit<typeof clients.$inferInsert, 'id'>;

/** A client with what its answer needs of its server. */
export interface ClientWithServer {
  client: ClientRow;
  server: { domain: string; tls: 'auto' | 'off' };
}

const withServer = { client: clients, server: { domain: servers.domain, tls: servers.tls } };

/** Deleted clients are kept for their log, and found by nobody. */
export async function findClient(db: Queries, id: number): Promise<ClientWithServer | undefined> {
  const [row] = await clientById(db).execute({ id });
  return row;
}

const clientById = builtOnce((db) =>
  db
    .select(withServer)
    .from(clients)
    .innerJoin(servers, eq(servers.id, clients.serverId))
    .where(and(eq(clients.id, sql.placeholder('id')), ne(clients.status, 'deleted')))
    .prepare('client'),
);

export async function lockClient(tx: Tx, id: number): Promise<ClientRow | undefined> {
  const [row] = await tx
    .select()
    .from(clients)
    .where(and(eq(clients.id, id), ne(clients.status, 'deleted')))
    .for('update');
  return row;
}

export interface ClientFilter {
  serverId?: number | undefined;
  status?: ClientStatus | undefined;
  /** part of name, short name, subdomain or e-mail */
  q?: string | undefined;
  version?: string | undefined;
  expiresBefore?: Date | undefined;
  limit: number;
  offset: number;
}

/** A page and the count of all; what lies before the page is passed over in an index, without its rows. */
export async function listClients(db: Queries, filter: ClientFilter) {
  const { limit, offset } = filter;
  const where = whereOf(filter);
  const page = db
    .select({ id: clients.id })
    .from(clients)
    .where(where)
    .orderBy(asc(clients.id))
    .limit(limit)
    .offset(offset)
    .as('page');
  const [rows, [total]] = await Promise.all([
    db
      .select(withServer)
      .from(page)
      .innerJoin(clients, eq(clients.id, page.id))
      .innerJoin(servers, eq(servers.id, clients.serverId))
      .orderBy(asc(clients.id)),
    db.select({ total: count() }).from(clients).where(where),
  ]);
  return { rows, total: total?.total ?? 0 };
}

function whereOf({ serverId, status, q, version, expiresBefore }: ClientFilter) {
  return and(
    LIVING,
    serverId === undefined ? undefined : eq(clients.serverId, serverId),
    status === undefined ? undefined : eq(clients.status, status),
    version === undefined ? undefined : eq(clients.versionTag, version),
    expiresBefore === undefined ? undefined : lt(clients.licenseExpiresAt, expiresBefore),
    q === undefined ? undefined : ilike(SEARCHED, `%${q.replaceAll(/[\\%_]/g, '\\$&')}%`),
  );
}

/** In the words of the index `clients_living`, or it would not be used. */
const LIVING = sql`${clients.status} <> 'deleted'`;
/** One comparison instead of four; `q` is one line, so that it never reaches over two of them. */
const SEARCHED = sql`concat_ws(chr(10), ${clients.name}, ${clients.shortName}, ${clients.subdomain}, ${clients.email})`;

/** The new row, or undefined when the subdomain is taken. Waits for a transaction that is just taking it. */
export async function insertClient(tx: Tx, client: NewClient): Promise<ClientRow | undefined> {
  const [row] = await tx.insert(clients).values(client).onConflictDoNothing().returning();
  return row;
}

export async function updateClient(db: Queries, id: number, changes: Partial<NewClient>): Promise<void> {
  await db
    .update(clients)
    .set({ ...changes, updatedAt: new Date() })
    .where(eq(clients.id, id));
}

export async function deleteClientRow(tx: Tx, id: number): Promise<void> {
  await tx.delete(clients).where(eq(clients.id, id));
}

/** Whoever holds a subdomain now. */
export async function findSubdomainHolder(db: Queries, subdomain: string): Promise<ClientRow | undefined> {
  const [row] = await db
    .select()
    .from(clients)
    .where(and(eq(clients.subdomain, subdomain), NAMED));
  return row;
}

/**
 * A create that ended before its first step, or outside of its workflow, left its row as `creating`: now it is
 * `failed`, as every other create that came to nothing.
 */
export async function failAbandonedCreates(
  tx: Tx,
  which: { subdomain: string } | { id: number },
): Promise<void> {
  const chosen = 'id' in which ? eq(clients.id, which.id) : eq(clients.subdomain, which.subdomain);
  await tx
    .update(clients)
    .set({ status: 'failed', updatedAt: new Date() })
    .where(
      and(
        chosen,
        eq(clients.status, 'creating'),
        sql`exists (select 1 from ${operations} where ${operations.id} = ${clients.operationId}
          and ${inArray(
            operations.state,
            END_STATES.filter((state) => !state.startsWith('succeeded')),
          )})`,
      ),
    );
}

export async function listBillingTypes(db: Queries) {
  return db.select().from(billingTypes).orderBy(asc(billingTypes.position));
}

/** One that is still there, with what its server and product were. */
export async function findBackup(db: Queries, id: number) {
  const [row] = await db
    .select({ backup: backups, server: { sqlEngine: servers.sqlEngine, product: servers.product } })
    .from(backups)
    .innerJoin(servers, eq(servers.id, backups.serverId))
    .where(and(eq(backups.id, id), isNull(backups.removedAt)));
  return row;
}

export async function listBackups(
  db: Queries,
  page: { clientId?: number | undefined; all: boolean; limit: number; offset: number },
) {
  const where = and(
    page.clientId === undefined ? undefined : eq(backups.clientId, page.clientId),
    page.all ? undefined : isNull(backups.removedAt),
  );
  const rows = await db
    .select()
    .from(backups)
    .where(where)
    .orderBy(desc(backups.id))
    .limit(page.limit)
    .offset(page.offset);
  const [total] = await db.select({ total: count() }).from(backups).where(where);
  return { rows, total: total?.total ?? 0 };
}
