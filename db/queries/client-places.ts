import { and, asc, count, eq, inArray, lte, ne } from 'drizzle-orm';
import type { Queries } from '../database.js';
import { clientPlaces, clients, servers } from '../schema/index.js';

/** Servers that still keep the stopped source of a move of this client. */
export async function listKeptOn(db: Queries, clientId: number): Promise<number[]> {
  const rows = await db
    .select({ serverId: clientPlaces.serverId })
    .from(clientPlaces)
    .where(and(eq(clientPlaces.clientId, clientId), eq(clientPlaces.state, 'kept')))
    .orderBy(asc(clientPlaces.serverId));
  return rows.map(({ serverId }) => serverId);
}

/** What moves have on each server: places being prepared, and kept sources. */
export async function countPlaces(db: Queries, serverIds: number[]): Promise<Map<number, number>> {
  if (serverIds.length === 0) return new Map();
  const rows = await db
    .select({ serverId: clientPlaces.serverId, places: count() })
    .from(clientPlaces)
    .where(inArray(clientPlaces.serverId, serverIds))
    .groupBy(clientPlaces.serverId);
  return new Map(rows.map((row) => [row.serverId, row.places]));
}

/** Hosts of kept sources that had the client's present name: visitors whose DNS is old still come to them. */
export async function listFormerHosts(
  db: Queries,
  { id, serverId, hostname }: { id: number; serverId: number; hostname: string },
): Promise<string[]> {
  const rows = await db
    .select({ host: servers.host, names: clientPlaces.names })
    .from(clientPlaces)
    .innerJoin(servers, eq(servers.id, clientPlaces.serverId))
    .where(
      and(eq(clientPlaces.clientId, id), ne(clientPlaces.serverId, serverId), eq(clientPlaces.state, 'kept')),
    );
  return rows.filter(({ names }) => names.hostname === hostname).map(({ host }) => host);
}

export interface OverdueSource {
  clientId: number;
  serverId: number;
  /** name of the kept source, and whether the client still has it */
  hostname: string;
  sameName: boolean;
  host: string;
}

/** Kept sources whose time is over, the oldest first. */
export async function listOverdueSources(db: Queries, { now, limit }: { now: Date; limit: number }) {
  const rows = await db
    .select({ place: clientPlaces, client: clients.names, host: servers.host })
    .from(clientPlaces)
    .innerJoin(clients, eq(clients.id, clientPlaces.clientId))
    .innerJoin(servers, eq(servers.id, clientPlaces.serverId))
    .where(and(eq(clientPlaces.state, 'kept'), lte(clientPlaces.keepUntil, now)))
    .orderBy(asc(clientPlaces.keepUntil))
    .limit(limit);
  return rows.map(({ place, client, host }): OverdueSource => {
    const { clientId, serverId, names } = place;
    return {
      clientId,
      serverId,
      hostname: names.hostname,
      sameName: client?.hostname === names.hostname,
      host,
    };
  });
}
