import { and, arrayContains, eq, inArray, isNotNull, isNull, ne, sql } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import { clientPlaces, clients, operations } from '../../db/schema/index.js';
import { type ClientStatus, statusesWith } from '../../workflows/contract/clients/statuses.js';
import type { ClientThing } from '../../workflows/contract/clients/clients.js';
import { subjectId } from '../../workflows/contract/operation/ids.js';
import { MADE, thingOf } from '../clients/records/client-things.js';

/** What whole servers' operations want to know of the clients there. */
export interface ServerReads {
  /**
   * Versions that a client of the server, a move's target or kept source there, or an open operation on it names: tags,
   * and references with a tag.
   */
  versionsInUse(serverId: number): Promise<string[]>;
  /** clients that should be up and answer, with what bears their names */
  serving(serverId: number): Promise<(ClientThing & { status: ClientStatus })[]>;
}

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
        .leftJoin(clients, eq(operations.subject, sql`'client:' || ${clients.id}`))
        .where(and(isNull(operations.endedAt), onServer(serverId)));
      // what a move brings there, and what it has left there to go back to
      const beside = await db
        .select({ names: clientPlaces.names })
        .from(clientPlaces)
        .where(eq(clientPlaces.serverId, serverId));
      const copied = await db
        .select({ names: clients.names })
        .from(operations)
        .innerJoin(clients, sql`${clients.id}::text = ${operations.input} #>> '{params,sourceId}'`)
        .where(and(isNull(operations.endedAt), onServer(serverId)));
      const named = [
        ...living.flatMap(({ tag, names }) => [tag, names?.image]),
        ...open.flatMap(({ wanted, tag }) => [wanted, tag]),
        ...[...beside, ...copied].map(({ names }) => names?.image),
      ];
      return [...new Set(named.filter((name) => name !== null && name !== undefined))];
    },

    async serving(serverId) {
      const rows = await db
        .select({ ...MADE, status: clients.status })
        .from(clients)
        .where(
          and(
            eq(clients.serverId, serverId),
            inArray(clients.status, statusesWith('present')),
            isNotNull(clients.names),
          ),
        )
        .orderBy(clients.id);
      return rows.flatMap(({ status, ...made }) => {
        const thing = thingOf(made);
        return thing === null ? [] : [{ ...thing, status }];
      });
    },
  };
}

/** Also a client's that moves there, or that is copied from there. */
function onServer(serverId: number) {
  return arrayContains(operations.places, [subjectId('server', serverId)]);
}
