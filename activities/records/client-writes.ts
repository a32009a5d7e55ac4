import type { Db, Tx } from '../../db/database.js';
import { failure } from '../../workflows/contract/failures.js';
import { isEnd } from '../../workflows/contract/operation.js';
import type { StepContext } from '../../workflows/contract/step.js';
import { lockOperation } from './operation-log.js';

/** A late attempt must not write: the client may be another operation's by now, or deleted. `OperationClosed` then. */
export function createWriter(db: Db) {
  return <Result>(step: StepContext, act: (tx: Tx) => Promise<Result>): Promise<Result> =>
    db.transaction(async (tx) => {
      const operation = await lockOperation(tx, step.operation);
      if (operation === undefined || isEnd(operation.state))
        throw failure('OperationClosed', `operation ${step.operation} is over; it writes nothing any more`);
      return act(tx);
    });
}
