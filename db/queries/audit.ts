import { and, desc, eq, gte, lt, sql } from 'drizzle-orm';
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
  /** how method and path begin */
  route?: string | undefined;
  from?: Date | undefined;
  /** not included */
  to?: Date | undefined;
  /** entries older than this id */
  before?: number | undefined;
  limit: number;
}

/** Newest first. */
export async function listAudit(db: Queries, filter: AuditFilter) {
  const { subject, actor, operation, route, from, to, before, limit } = filter;
  return db
    .select()
    .from(auditLog)
    .where(
      and(
        subject === undefined ? undefined : eq(auditLog.subject, subject),
        actor === undefined ? undefined : eq(auditLog.actor, actor),
        operation === undefined ? undefined : eq(auditLog.operationId, operation),
        route === undefined ? undefined : sql`starts_with(${auditLog.route}, ${route})`,
        from === undefined ? undefined : gte(auditLog.time, from),
        to === undefined ? undefined : lt(auditLog.time, to),
        before === undefined ? undefined : lt(auditLog.id, before),
      ),
    )
    .orderBy(desc(auditLog.id))
    .limit(limit);
}
