import { and, desc, eq, lt } from 'drizzle-orm';
import type { Queries } from '../database.js';
import { auditLog } from '../schema/index.js';

export type AuditEntry = typeof auditLog.$inferInsert;

/** Written with the change that it records: pass the change's own transaction. */
export async function recordAudit(tx: Queries, entry: AuditEntry): Promise<void> {
  await tx.insert(auditLog).values(entry);
}

export interface AuditFilter {
  subject?: string | undefined;
  actor?: string | undefined;
  operation?: string | undefined;
  /** entries older than this id */
  before?: number | undefined;
  limit: number;
}

/** Newest first. */
export async function listAudit(db: Queries, { subject, actor, operation, before, limit }: AuditFilter) {
  return db
    .select()
    .from(auditLog)
    .where(
      and(
        subject === undefined ? undefined : eq(auditLog.subject, subject),
        actor === undefined ? undefined : eq(auditLog.actor, actor),
        operation === undefined ? undefined : eq(auditLog.operationId, operation),
        before === undefined ? undefined : lt(auditLog.id, before),
      ),
    )
    .orderBy(desc(auditLog.id))
    .limit(limit);
}
