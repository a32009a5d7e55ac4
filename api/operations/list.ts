import type { z } from '@hono/zod-openapi';
import { type ListedOperation, listOperations } from '../../db/queries/operation-reads.js';
import { subjectId } from '../../workflows/contract/operation/ids.js';
import type { OperationState } from '../../workflows/contract/operation/operation.js';
import type { RouteDeps } from './deps.js';
import type { OperationFilter } from './schemas.js';
import { isStuck } from './view.js';

/** As recorded, newest first; the cursor is null at the end. */
export async function listOperationPage(
  { db }: RouteDeps,
  { limit, ...filter }: Parameters<typeof listOperations>[1],
) {
  const rows = await listOperations(db, { ...filter, limit: limit + 1 });
  const page = rows.slice(0, limit);
  return { data: page.map(entryOf), cursor: rows.length > limit ? (page.at(-1)?.id ?? null) : null };
}

/** As the query of the list says it. */
export function filterOf({
  state,
  cursor,
  subject,
  client,
  server,
  ...rest
}: z.output<typeof OperationFilter>) {
  return {
    ...rest,
    subjects: [subject, client === undefined ? undefined : subjectId('client', client)].filter(
      (wanted) => wanted !== undefined,
    ),
    place: server === undefined ? undefined : subjectId('server', server),
    states: state?.split(',') as OperationState[] | undefined,
    before: cursor,
  };
}

function entryOf(row: ListedOperation) {
  const { id, kind, subject, state, title, actor, requestId, failedStep } = row;
  const times = { startedAt: row.startedAt.toISOString(), endedAt: row.endedAt?.toISOString() ?? null };
  return {
    id,
    kind,
    subject,
    state,
    title,
    actor,
    requestId,
    ...times,
    failedStep,
    ...(isStuck(row) ? { stuck: true } : {}),
    href: `/operations/${id}`,
  };
}
