import { and, eq, inArray, isNotNull, isNull, ne, or, sql } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import { clients, operations, type ClientStatus } from '../../db/schema/index.js';
import type { ClientThing } from '../../workflows/contract/clients.js';

/** What whole servers' operations want to know of the clients there. */
export interface ServerReads {
  /** versions that a client of the server, or an open operation on it, names: tags, and references with a tag */
  versionsInUse(serverId: number): Promise<string[]>;
  /** clients that should be up and answer, with what bears their names */
  serving(serverId: number): Promise<(ClientThing & { status: ClientStatus })[]>;
}

/** Not up yet, going, or never made: nobody expects an answer of them. */
const SERVING: ClientStatus[] = ['active', 'maintenance', 'expired'];

export function createServerReads(db: Db): ServerReads {
  return {
    async versionsInUse(serverId) {
      const living = await db
        .select({ tag: clients.versionTag, names: clients.names })
        .from(clients)
        .where(and(eq(clients.serverId, serverId), ne(clients.status, 'deleted')));
      const open = await db
        .select({
          wanted: sql<string | null>`${operations.input} #>> '{params,versionTag}'`,
          tag: clients.versionTag,
        })
        .from(operations)
        .leftJoin(clients, eq(clients.id, operations.clientId))
        .where(and(isNull(operations.endedAt), onServer(serverId)));
      const named = [
        ...living.flatMap(({ tag, names }) => [tag, names?.image]),
        ...open.flatMap(({ wanted, tag }) => [wanted, tag]),
      ];
      return [...new Set(named.filter((name) => name !== null && name !== undefined))];
    },

    async serving(serverId) {
      const rows = await db
        .select({ names: clients.names, operation: clients.operationId, status: clients.status })
        .from(clients)
        .where(
          and(eq(clients.serverId, serverId), inArray(clients.status, SERVING), isNotNull(clients.names)),
        )
        .orderBy(clients.id);
      return rows.flatMap(({ names, operation, status }) =>
        names === null || operation === null ? [] : [{ names, operation, status }],
      );
    },
  };
}

/** A client that moves is an operation of its source's, and names its target. */
function onServer(serverId: number) {
  return or(
    eq(operations.serverId, serverId),
    sql`${operations.input} #>> '{params,serverId}' = ${String(serverId)}`,
  );
}
