import { and, asc, eq, inArray, isNotNull, lt } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import { idempotencyKeys, operations, operationUndos, secrets, OPEN_UNDOS } from '../../db/schema/index.js';
import type { CleanupParams } from '../../workflows/contract/operation/cleanup.js';

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
          places: operations.places,
        })
        .from(operations)
        .innerJoin(operationUndos, eq(operationUndos.operationId, operations.id))
        .where(and(isNotNull(operations.endedAt), inArray(operationUndos.state, OPEN_UNDOS)))
        .orderBy(asc(operations.subject), asc(operations.id))
        .as('oldest');
      const rows = await db.select().from(oldest).orderBy(asc(oldest.id)).limit(limit);
      return rows.map(({ subject, places }) => ({ subject, places }));
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
  };
}
