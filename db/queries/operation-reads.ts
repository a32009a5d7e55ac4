import { and, asc, count, desc, eq, gt, gte, inArray, isNull, lt, or } from 'drizzle-orm';
import type { OperationState } from '../../workflows/contract/operation.js';
import type { Queries } from '../database.js';
import { operationEvents, operations, operationSteps } from '../schema/index.js';

export type OperationRow = typeof operations.$inferSelect;
export type OperationStepRow = typeof operationSteps.$inferSelect;

export async function findOperation(db: Queries, id: string): Promise<OperationRow | undefined> {
  const [row] = await db.select().from(operations).where(eq(operations.id, id));
  return row;
}

export async function listSteps(db: Queries, operationId: string): Promise<OperationStepRow[]> {
  return db
    .select()
    .from(operationSteps)
    .where(eq(operationSteps.operationId, operationId))
    .orderBy(asc(operationSteps.startedAt), asc(operationSteps.seq));
}

export async function findStep(
  db: Queries,
  operationId: string,
  key: string,
): Promise<OperationStepRow | undefined> {
  const [row] = await db
    .select()
    .from(operationSteps)
    .where(and(eq(operationSteps.operationId, operationId), eq(operationSteps.key, key)));
  return row;
}

/** Those of the given operations that exist. */
export async function listOperationsById(db: Queries, ids: string[]): Promise<OperationRow[]> {
  return db.select().from(operations).where(inArray(operations.id, ids));
}

export interface OperationFilter {
  subject?: string | undefined;
  kind?: string | undefined;
  states?: OperationState[] | undefined;
  server?: number | undefined;
  client?: number | undefined;
  /** only children of this operation */
  parent?: string | undefined;
  /** ids below this one */
  before?: string | undefined;
  limit: number;
}

/** Newest first; ids are ULIDs, so they are also ordered by time. */
export async function listOperations(db: Queries, filter: OperationFilter): Promise<OperationRow[]> {
  const { subject, kind, states, server, client, parent, before, limit } = filter;
  return db
    .select()
    .from(operations)
    .where(
      and(
        subject === undefined ? undefined : eq(operations.subject, subject),
        kind === undefined ? undefined : eq(operations.kind, kind),
        states === undefined ? undefined : inArray(operations.state, states),
        server === undefined ? undefined : eq(operations.serverId, server),
        client === undefined ? undefined : eq(operations.clientId, client),
        parent === undefined ? undefined : eq(operations.parentId, parent),
        before === undefined ? undefined : lt(operations.id, before),
      ),
    )
    .orderBy(desc(operations.id))
    .limit(limit);
}

/** The newest operation of each subject that has not ended, by subject. */
export async function findOpenOperations(
  db: Queries,
  subjects: string[],
): Promise<Map<string, OperationRow>> {
  if (subjects.length === 0) return new Map();
  const rows = await db
    .select()
    .from(operations)
    .where(and(inArray(operations.subject, subjects), isNull(operations.endedAt)))
    .orderBy(asc(operations.id));
  return new Map(rows.map((row) => [row.subject, row]));
}

/** Lines after `after`; without it the newest `limit`. In order. */
export async function listEvents(
  db: Queries,
  query: { operationId: string; after?: number | undefined; limit: number },
) {
  const { operationId, after, limit } = query;
  const rows = await db
    .select()
    .from(operationEvents)
    .where(
      and(
        eq(operationEvents.operationId, operationId),
        after === undefined ? undefined : gt(operationEvents.seq, after),
      ),
    )
    .orderBy(after === undefined ? desc(operationEvents.seq) : asc(operationEvents.seq))
    .limit(limit);
  return after === undefined ? rows.toReversed() : rows;
}

/** Of ids from `since` on, and of older ones those that are not archived yet, so all that are open. */
export async function countOperations(db: Queries, { since }: { since: string }) {
  return db
    .select({ kind: operations.kind, state: operations.state, count: count() })
    .from(operations)
    .where(or(isNull(operations.archivedAt), gte(operations.id, since)))
    .groupBy(operations.kind, operations.state);
}
