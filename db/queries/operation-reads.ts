import {
  arrayContains,
  and,
  asc,
  count,
  desc,
  eq,
  getTableColumns,
  gt,
  gte,
  inArray,
  isNull,
  lt,
  or,
  sql,
} from 'drizzle-orm';
import type { OperationState } from '../../workflows/contract/operation/operation.js';
import { builtOnce, type Queries } from '../database.js';
import { operationEvents, operations, operationSteps } from '../schema/index.js';

export type OperationRow = typeof operations.$inferSelect;
export type OperationStepRow = typeof operationSteps.$inferSelect;

const operationById = builtOnce((db) =>
  db
    .select()
    .from(operations)
    .where(eq(operations.id, sql.placeholder('id')))
    .prepare('operation'),
);

export async function findOperation(db: Queries, id: string): Promise<OperationRow | undefined> {
  const [row] = await operationById(db).execute({ id });
  return row;
}

const stepsOfOperation = builtOnce((db) =>
  db
    .select()
    .from(operationSteps)
    .where(eq(operationSteps.operationId, sql.placeholder('id')))
    .orderBy(asc(operationSteps.startedAt), asc(operationSteps.seq))
    .prepare('steps'),
);

export async function listSteps(db: Queries, operationId: string): Promise<OperationStepRow[]> {
  return stepsOfOperation(db).execute({ id: operationId });
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

/** What a list shows of each. */
const LISTED = {
  id: operations.id,
  kind: operations.kind,
  subject: operations.subject,
  state: operations.state,
  title: operations.title,
  actor: operations.actor,
  requestId: operations.requestId,
  failedStep: operations.failedStep,
  stuck: operations.stuck,
  startedAt: operations.startedAt,
  endedAt: operations.endedAt,
};
export type ListedOperation = Pick<OperationRow, keyof typeof LISTED>;

export interface OperationFilter {
  /** all of these: of two different ones there is none */
  subjects?: string[] | undefined;
  kind?: string | undefined;
  states?: OperationState[] | undefined;
  /** one that it works on, such as `server:3` */
  place?: string | undefined;
  /** only children of this operation */
  parent?: string | undefined;
  /** ids below this one */
  before?: string | undefined;
  limit: number;
}

/** Newest first; ids are ULIDs, so they are also ordered by time. */
export async function listOperations(db: Queries, filter: OperationFilter): Promise<ListedOperation[]> {
  const { subjects = [], kind, states, place, parent, before, limit } = filter;
  return db
    .select(LISTED)
    .from(operations)
    .where(
      and(
        ...subjects.map((subject) => eq(operations.subject, subject)),
        kind === undefined ? undefined : eq(operations.kind, kind),
        states === undefined ? undefined : inArray(operations.state, states),
        place === undefined ? undefined : arrayContains(operations.places, [place]),
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
): Promise<Map<string, ListedOperation>> {
  if (subjects.length === 0) return new Map();
  const rows = await db
    .select(LISTED)
    .from(operations)
    .where(and(inArray(operations.subject, subjects), isNull(operations.endedAt)))
    .orderBy(asc(operations.id));
  return new Map(rows.map((row) => [row.subject, row]));
}

/** A line of the createlog. */
export type OperationEvent = Omit<typeof operationEvents.$inferSelect, 'operationId' | 'key'>;

const { operationId: _operation, key: _key, ...LINE } = getTableColumns(operationEvents);
const ofOperation = eq(operationEvents.operationId, sql.placeholder('operationId'));

const linesAfter = builtOnce((db) =>
  db
    .select(LINE)
    .from(operationEvents)
    .where(and(ofOperation, gt(operationEvents.seq, sql.placeholder('after'))))
    .orderBy(asc(operationEvents.seq))
    .limit(sql.placeholder('limit'))
    .prepare('lines_after'),
);

const newestLines = builtOnce((db) =>
  db
    .select(LINE)
    .from(operationEvents)
    .where(ofOperation)
    .orderBy(desc(operationEvents.seq))
    .limit(sql.placeholder('limit'))
    .prepare('newest_lines'),
);

/** Lines after `after`; without it the newest `limit`. In order. */
export async function listEvents(
  db: Queries,
  { operationId, after, limit }: { operationId: string; after?: number | undefined; limit: number },
): Promise<OperationEvent[]> {
  if (after !== undefined) return linesAfter(db).execute({ operationId, after, limit });
  return (await newestLines(db).execute({ operationId, limit })).toReversed();
}

/** Of ids from `since` on, and of older ones those that are not archived yet, so all that are open. */
export async function countOperations(db: Queries, { since }: { since: string }) {
  return db
    .select({ kind: operations.kind, state: operations.state, count: count() })
    .from(operations)
    .where(or(isNull(operations.archivedAt), gte(operations.id, since)))
    .groupBy(operations.kind, operations.state);
}
