import type { Client } from '@temporalio/client';
import type { Db } from '../../db/database.js';
import { findOperation, type OperationRow } from '../../db/queries/operation-reads.js';
import { confirmOperation, removeUnstartedOperation } from '../../db/queries/operation-starts.js';
import { requireKind } from '../../workflows/contract/kinds.js';
import { startRequest } from '../../workflows/contract/operation/start.js';
import { codeOf } from './history.js';
import { findRun } from './operation-run.js';

const ALREADY_EXISTS = 6;

interface Ports {
  db: Db;
  client: Client;
  taskQueue: string;
}

/**
 * A start that nobody got an answer to: its run is found and confirmed; else it is started under the same id, unless
 * somebody else has the subject by now: then the row goes, and its caller's next try is a new one.
 */
export async function resolveStart(ports: Ports, row: OperationRow): Promise<boolean> {
  const { db, client } = ports;
  if ((await findRun(client, row)) !== null) return confirm(db, row);
  // the describe took its time: the caller may have been faster
  const now = await findOperation(db, row.id);
  if (now === undefined || now.confirmedAt !== null || now.runId !== null || now.endedAt !== null)
    return false;
  if (await start(ports, row)) return confirm(db, row);
  if ((await findRun(client, row)) !== null) return confirm(db, row);
  return db.transaction((tx) => removeUnstartedOperation(tx, row.id));
}

async function confirm(db: Db, row: OperationRow): Promise<boolean> {
  await confirmOperation(db, row.id);
  return true;
}

/** False when the subject is taken. */
async function start({ client, taskQueue }: Ports, row: OperationRow): Promise<boolean> {
  const { namespace, identity } = client.options;
  try {
    await client.workflowService.startWorkflowExecution(
      startRequest(row, requireKind(row.kind), { namespace, taskQueue, identity }),
    );
    return true;
  } catch (error) {
    if (codeOf(error) === ALREADY_EXISTS) return false;
    throw error;
  }
}
