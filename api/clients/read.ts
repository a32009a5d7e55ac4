import { findClient } from '../../db/queries/clients.js';
import { findOpenOperations, findOperation, listEvents } from '../../db/queries/operation-reads.js';
import { subjectId } from '../../workflows/contract/operation/ids.js';
import { isEnd } from '../../workflows/contract/operation/operation.js';
import type { RouteDeps } from '../operations/deps.js';
import { Problem } from '../http/problem.js';
import { clientAnswer } from './answer.js';

/** `docs/contract/operations.md`, Reading an operation: the last 1,000 lines unless asked otherwise. */
export const LOG_LINES = 1_000;

export async function readClient({ db }: RouteDeps, id: number) {
  const found = await findClient(db, id);
  if (found === undefined) throw noClient(id);
  const subject = subjectId('client', id);
  return clientAnswer(found, (await findOpenOperations(db, [subject])).get(subject));
}

/** The newest create operation's recorded lines; never from pending attempts, so that a line once seen never changes. */
export async function readCreateLog(
  { db }: RouteDeps,
  id: number,
  query: { after?: number | undefined; limit?: number | undefined },
) {
  const found = await findClient(db, id);
  if (found === undefined) throw noClient(id);
  const operation =
    found.client.operationId === null ? undefined : await findOperation(db, found.client.operationId);
  if (operation === undefined) return { id, status: found.client.status, log: [], completed: null };
  const lines = await listEvents(db, {
    operationId: operation.id,
    after: query.after,
    limit: query.limit ?? LOG_LINES,
  });
  const ended = operation.state.startsWith('succeeded') ? ('ok' as const) : ('error' as const);
  const completed = isEnd(operation.state) ? ended : null;
  return {
    id,
    status: operation.state,
    log: lines.map(({ seq, time, step, message, level }) => ({
      seq,
      time: time.toISOString(),
      step,
      message,
      level,
    })),
    completed,
    ...(completed === 'error'
      ? { error: operation.error?.message ?? `The operation is ${operation.state}` }
      : {}),
  };
}

export function noClient(id: number): Problem {
  return new Problem('not_found', { detail: `There is no client ${id}` });
}
