import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { and, asc, eq, inArray, isNotNull, lt } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import {
  idempotencyKeys,
  operations,
  operationUndos,
  secrets,
  servers,
  OPEN_UNDOS,
} from '../../db/schema/index.js';
import { listOverdueSources } from '../../db/queries/client-places.js';
import type { CleanupParams } from '../../workflows/contract/operation/cleanup.js';
import type { RemoveKeptSourceParams } from '../../workflows/contract/clients/clients.js';

export type NightlyActivities = ReturnType<typeof createNightlyActivities>;

/** Promised are 24 hours: `docs/contract/operations.md`, Identity and mutual exclusion. */
const KEYS_KEPT_MS = 3 * 86_400_000;

/** What is tidied up once a day. */
export function createNightlyActivities(db: Db) {
  return {
    /** Subjects with open undos of ended operations, those first that have waited longest: each is cleaned up once more. */
    async listRestricted({ limit }: { limit: number }): Promise<CleanupParams[]> {
      const oldest = db
        .selectDistinctOn([operations.subject], {
          id: operations.id,
          subject: operations.subject,
          clientId: operations.clientId,
          serverId: operations.serverId,
        })
        .from(operations)
        .innerJoin(operationUndos, eq(operationUndos.operationId, operations.id))
        .where(and(isNotNull(operations.endedAt), inArray(operationUndos.state, OPEN_UNDOS)))
        .orderBy(asc(operations.subject), asc(operations.id))
        .as('oldest');
      const rows = await db.select().from(oldest).orderBy(asc(oldest.id)).limit(limit);
      return rows.map(({ subject, clientId, serverId }) => ({
        subject,
        ...(clientId === null ? {} : { clientId }),
        ...(serverId === null ? {} : { serverId }),
      }));
    },

    /** Secrets past their time, such as administrators' first passwords after 7 days, and old idempotency keys. */
    async removeExpired(): Promise<{ secrets: number; keys: number }> {
      const now = Date.now();
      const expired = await db
        .delete(secrets)
        .where(lt(secrets.expiresAt, new Date(now)))
        .returning({ id: secrets.id });
      const old = await db
        .delete(idempotencyKeys)
        .where(lt(idempotencyKeys.createdAt, new Date(now - KEYS_KEPT_MS)))
        .returning({ key: idempotencyKeys.key });
      return { secrets: expired.length, keys: old.length };
    },

    /**
     * Kept sources of moves whose time is over. One stays for as long as visitors of the client's present name are still
     * led to it by DNS: its nginx passes them on.
     */
    async listOverdueSources({ limit }: { limit: number }): Promise<RemoveKeptSourceParams[]> {
      const sources = await listOverdueSources(db, { now: new Date(), limit });
      const needed = await Promise.all(
        sources.map(async ({ hostname, sameName, host }) => sameName && (await leadsTo(hostname, host))),
      );
      return sources
        .filter((_, index) => needed[index] !== true)
        .map(({ clientId, serverId }) => ({ clientId, serverId }));
    },

    async listActiveServers(): Promise<number[]> {
      const rows = await db
        .select({ id: servers.id })
        .from(servers)
        .where(and(eq(servers.active, true), isNotNull(servers.sshHostKey)))
        .orderBy(asc(servers.id));
      return rows.map(({ id }) => id);
    },
  };
}

/** Nobody waits at night, but a hundred names must not take an hour. */
const DNS_TIMEOUT_MS = 3_000;

async function leadsTo(hostname: string, host: string): Promise<boolean> {
  const resolver = new Resolver({ timeout: DNS_TIMEOUT_MS, tries: 1 });
  const addressesOf = async (name: string) => {
    const found = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    return found.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  };
  const theirs = isIP(host) === 0 ? await addressesOf(host) : [host];
  return (await addressesOf(hostname)).some((address) => theirs.includes(address));
}
