import { and, asc, eq, inArray, isNull, lt } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import { backups, operations } from '../../db/schema/index.js';
import { mark } from '../../workflows/contract/operation/ids.js';
import type { OperationState } from '../../workflows/contract/operation/operation.js';
import type { Connections } from '../clients/connections.js';
import { type Server, targetOf } from '../hosts/connections.js';
import { sh } from '../ssh/shell.js';

export type BackupActivities = ReturnType<typeof createBackupActivities>;

/** One is a few files, the largest of some gigabytes; the night has half an hour for a server. */
const REMOVE_TIMEOUT_MS = 5 * 60_000;
const AT_ONCE = 200;

/** As operations lay down dumps, `client<id>-<operation>…`, and images that move, `<operation>`. */
const LAID_DOWN = /\/(?:client\d+-)?([0-9A-HJKMNP-TV-Z]{26})(?:-\d+)?(?:-moved)?(?:\.partial)?$/i;
/** What others have left is the clean-up's. */
const TIDY_ENDS: OperationState[] = ['succeeded', 'succeeded_with_warnings', 'rolled_back', 'cancelled'];

export function createBackupActivities({ servers, ssh }: Pick<Connections, 'servers' | 'ssh'>, db: Db) {
  /** Removes a server's backups whose time is over, and marks each; a directory with another mark stays. */
  async function removeExpired(server: Server): Promise<number> {
    const due = await db
      .select()
      .from(backups)
      .where(
        and(eq(backups.serverId, server.id), isNull(backups.removedAt), lt(backups.expiresAt, new Date())),
      )
      .orderBy(asc(backups.expiresAt))
      .limit(AT_ONCE);
    for (const { id, path, operationId } of due) {
      const script = sh`
dir=${path} gone=${`${path}.expired`}
if [ "$(head -n 1 -- "$dir/.slipway" 2>/dev/null)" = ${mark(operationId)} ]; then mv -T -- "$dir" "$gone"; fi
rm -rf -- "$gone"`;
      await remove(server, path, script);
      await db.update(backups).set({ removedAt: new Date() }).where(eq(backups.id, id));
    }
    return due.length;
  }

  /**
   * Removes what ended operations have laid down and not recorded: what a move or copy could not clear away, or the
   * dump of a first try.
   */
  async function removeLaidDown(server: Server): Promise<number> {
    const { baseDir } = server;
    const list = sh`ls -1d -- ${baseDir}/backup/clients/* ${baseDir}/slipway/moves/* 2>/dev/null || true`;
    const target = targetOf(server);
    const { stdout } = await ssh.runOk(target, list, { what: `listing backups in ${baseDir}` });
    const found = stdout.split('\n').flatMap((path) => {
      const operation = LAID_DOWN.exec(path)?.[1]?.toUpperCase();
      return operation === undefined ? [] : [{ operation, path }];
    });
    if (found.length === 0) return 0;
    const ids = [...new Set(found.map(({ operation }) => operation))];
    const ended = await db
      .select({ id: operations.id })
      .from(operations)
      .where(and(inArray(operations.id, ids), inArray(operations.state, TIDY_ENDS)));
    const recorded = await db
      .select({ path: backups.path })
      .from(backups)
      .where(and(eq(backups.serverId, server.id), inArray(backups.operationId, ids)));
    const over = new Set(ended.map(({ id }) => id));
    const kept = new Set(recorded.map(({ path }) => path));
    const left = found.filter(({ operation, path }) => over.has(operation) && !kept.has(path));
    for (const { path } of left.slice(0, AT_ONCE)) await remove(server, path, sh`rm -rf -- ${path}`);
    return Math.min(left.length, AT_ONCE);
  }

  async function remove(server: Server, path: string, script: ReturnType<typeof sh>): Promise<void> {
    const options = { what: `removing ${path}`, timeoutMs: REMOVE_TIMEOUT_MS };
    await ssh.runOk(targetOf(server), script, options);
  }

  return {
    /** Of a server: backups whose time is over, and what ended operations have left of dumps and images. */
    async removeOldBackups({ serverId }: { serverId: number }): Promise<{ removed: number }> {
      const server = await servers.get(serverId);
      return { removed: (await removeExpired(server)) + (await removeLaidDown(server)) };
    },
  };
}
