import { and, asc, eq, isNotNull } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import { releases, servers } from '../../db/schema/index.js';
import { failure } from '../../workflows/contract/operation/failures.js';
import type { BuildImageParams, Release } from '../../workflows/contract/servers/builds.js';
import type { ChildToStart } from '../../workflows/contract/operation/fan-out.js';
import { subjectId } from '../../workflows/contract/operation/ids.js';
import type { Announcement } from '../sql/engine.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';

export type ReleaseRecords = Omit<ReturnType<typeof createReleaseRecords>, 'getRelease'>;

/** What clients are told of a version is kept here, so that no history of a server has to carry it. */
export function createReleaseRecords(db: Db) {
  return {
    /** No act: what announcements are made of. */
    async getRelease(operation: string): Promise<Announcement> {
      const [row] = await db.select().from(releases).where(eq(releases.operationId, operation));
      if (row === undefined) throw failure('NotFound', `operation ${operation} announces no version`);
      return row;
    },

    async recordRelease({ operation, version, info }: Release, _step: StepContext): Promise<void> {
      const row = { operationId: operation, version, info };
      await db.insert(releases).values(row).onConflictDoNothing();
    },

    /** Undo of `recordRelease`. */
    async forgetRelease({ operation }: Pick<Release, 'operation'>, _step: StepContext): Promise<void> {
      await db.delete(releases).where(eq(releases.operationId, operation));
    },

    /** Every active server that can be logged in to; the version is built there unless it is there already. */
    async listBuilds(
      { operation, version, force }: { operation: string; version: string; force: boolean },
      step: StepContext,
    ): Promise<ChildToStart[]> {
      const rows = await db
        .select({ id: servers.id, name: servers.name })
        .from(servers)
        .where(and(eq(servers.active, true), isNotNull(servers.sshHostKey)))
        .orderBy(asc(servers.id));
      step.summarize(`${rows.length} servers`);
      return rows.map(({ id, name }) => {
        const existing = force ? 'replace' : 'keep';
        const params: BuildImageParams = {
          serverId: id,
          branch: 'master',
          version,
          existing,
          release: operation,
        };
        return { subject: subjectId('server', id), params, named: name };
      });
    },
  };
}
