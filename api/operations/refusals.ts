import type { OperationRow } from '../../db/queries/operation-reads.js';
import { Problem } from '../http/problem.js';
import type { Occupied } from './holder.js';

export function busy(subject: string, holder: Occupied | undefined): Problem {
  if (holder === undefined) {
    return new Problem('busy', {
      detail: `${subject} is being let go by another operation`,
      headers: { 'Retry-After': '1' },
    });
  }
  const operation = holderRef(holder);
  return new Problem('busy', {
    detail: `${operation.kind} is running on ${subject}`,
    members: { operation },
  });
}

export function needsCleanup(leaver: OperationRow): Problem {
  return new Problem('needs_cleanup', {
    detail: `operation ${leaver.id} left things behind on ${leaver.subject}: clean up first`,
    members: { operation: refOf(leaver) },
  });
}

/** A workflow started by hand has no row until its first activity. */
export function holderRef({ row, run }: Occupied): ReturnType<typeof refOf> {
  return row === undefined
    ? { id: run.runId, kind: run.kind, state: 'running', href: '/operations' }
    : refOf(row);
}

export function refOf({ id, kind, state }: Pick<OperationRow, 'id' | 'kind' | 'state'>): {
  id: string;
  kind: string;
  state: string;
  href: string;
} {
  return { id, kind, state, href: `/operations/${id}` };
}

export function unconfirmed(): Problem {
  return new Problem('start_unconfirmed', {
    detail: 'Temporal did not answer; the same request sent again finds the operation or starts it, once',
    headers: { 'Retry-After': '5' },
  });
}
