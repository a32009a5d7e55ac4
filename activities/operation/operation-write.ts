import type { Db, Tx } from '../../db/database.js';
import { failure } from '../../workflows/contract/operation/failures.js';
import { isEnd } from '../../workflows/contract/operation/operation.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';
import { lockOperation } from './operation-log.js';

/** A late attempt must not write: the subject may be another operation's by now, or gone. `OperationClosed` then. */
export function writeFor<Result>(
  db: Db,
  step: Pick<StepContext, 'operation'>,
  act: (tx: Tx) => Promise<Result>,
): Promise<Result> {
  return db.transaction(async (tx) => {
    const operation = await lockOperation(tx, step.operation);
    if (operation === undefined || isEnd(operation.state))
      throw failure('OperationClosed', `operation ${step.operation} is over; it writes nothing any more`);
    return act(tx);
  });
}
