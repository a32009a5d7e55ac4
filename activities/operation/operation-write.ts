import { eq } from 'drizzle-orm';
import type { Db, Queries, Tx } from '../../db/database.js';
import { operations } from '../../db/schema/index.js';
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
    if (operation === undefined || isEnd(operation.state)) throw closed(step);
    return act(tx);
  });
}

/** The same for what is written elsewhere, asked once its connection is open. A plan has no operation, and writes nothing. */
export async function requireOpen(db: Queries, step: Pick<StepContext, 'operation'>): Promise<void> {
  const [row] = await db
    .select({ state: operations.state })
    .from(operations)
    .where(eq(operations.id, step.operation));
  if (row !== undefined && isEnd(row.state)) throw closed(step);
}

function closed({ operation }: Pick<StepContext, 'operation'>) {
  return failure('OperationClosed', `operation ${operation} is over; it writes nothing any more`);
}
