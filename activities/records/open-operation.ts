import type { Db, Tx } from '../../db/database.js';
import { failure } from '../../workflows/contract/failures.js';
import { isEnd } from '../../workflows/contract/operation.js';
import { lockOperation } from './operation-log.js';

/**
 * One transaction on behalf of an operation that has not ended. A late attempt must not write: what it speaks of may
 * be another operation's by now, or gone. `OperationClosed` then.
 */
export function whileOpen<Result>(
  db: Db,
  { operation: id }: { operation: string },
  act: (tx: Tx) => Promise<Result>,
): Promise<Result> {
  return db.transaction(async (tx) => {
    const operation = await lockOperation(tx, id);
    if (operation === undefined || isEnd(operation.state))
      throw failure('OperationClosed', `operation ${id} is over; it writes nothing any more`);
    return act(tx);
  });
}
