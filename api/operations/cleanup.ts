import { findOperation } from '../../db/queries/operation-reads.js';
import { findLeaver } from '../../db/queries/operation-starts.js';
import type { CleanupParams } from '../../workflows/contract/operation/cleanup.js';
import { Problem } from '../http/problem.js';
import { type Planned } from './plan.js';
import type { Caller, StartDeps, StartRequest } from './record-start.js';
import { refOf } from './refusals.js';
import { type Started, startOperation } from './start.js';

/**
 * Starts a clean-up of everything that is left on an operation's subject, by this one or by others. 404 unknown, 409
 * while the operation is open and when nothing is left.
 */
export function startCleanup(
  deps: StartDeps,
  request: { id: string; caller: Caller; options: StartRequest<CleanupParams>['options'] & object },
): Promise<Started | Planned> {
  const { id, caller, options } = request;
  return startOperation<CleanupParams>(deps, {
    kind: 'cleanup',
    caller,
    options,
    async prepare(tx) {
      const row = await findOperation(tx, id);
      if (row === undefined) throw new Problem('not_found', { detail: `There is no operation ${id}` });
      const { subject, places } = row;
      if (row.endedAt === null) {
        const detail = `The operation is ${row.state}: what it has done is not left over yet`;
        throw new Problem('busy', { detail, members: { operation: refOf(row) } });
      }
      if ((await findLeaver(tx, subject)) === undefined) {
        throw new Problem('nothing_left', { detail: `Nothing is to be undone on ${subject}` });
      }
      return {
        answerId: id,
        params: { subject, places },
      };
    },
  });
}
