import { and, asc, eq, isNotNull } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import { servers } from '../../db/schema/index.js';

export type ActiveServers = ReturnType<typeof createActiveServers>;

/** Servers that sweeps go to. */
export function createActiveServers(db: Db) {
  return {
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
