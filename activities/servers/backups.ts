import { and, asc, eq, isNull, lt } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import { backups } from '../../db/schema/index.js';
import { mark } from '../../workflows/contract/ids.js';
import { type Connections, requireHostKey, targetOf } from '../connections.js';
import { sh } from '../ssh/shell.js';

export type BackupActivities = ReturnType<typeof createBackupActivities>;

/** One is a few files, the largest of some gigabytes; the night has half an hour for a server. */
const REMOVE_TIMEOUT_MS = 5 * 60_000;
const AT_ONCE = 200;

export function createBackupActivities({ servers, ssh }: Pick<Connections, 'servers' | 'ssh'>, db: Db) {
  return {
    /** Removes a server's backups whose time is over, and marks each; a directory with another mark stays. */
    async removeOldBackups({ serverId }: { serverId: number }): Promise<{ removed: number }> {
      const server = await servers.get(serverId);
      const target = targetOf(requireHostKey(server));
      const due = await db
        .select()
        .from(backups)
        .where(
          and(eq(backups.serverId, serverId), isNull(backups.removedAt), lt(backups.expiresAt, new Date())),
        )
        .orderBy(asc(backups.expiresAt))
        .limit(AT_ONCE);
      for (const { id, path, operationId } of due) {
        const script = sh`
dir=${path} gone=${`${path}.expired`}
if [ "$(head -n 1 -- "$dir/.slipway" 2>/dev/null)" = ${mark(operationId)} ]; then mv -T -- "$dir" "$gone"; fi
rm -rf -- "$gone"`;
        await ssh.runOk(target, script, { what: `removing backup ${path}`, timeoutMs: REMOVE_TIMEOUT_MS });
        await db.update(backups).set({ removedAt: new Date() }).where(eq(backups.id, id));
      }
      return { removed: due.length };
    },
  };
}
