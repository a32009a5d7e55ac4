import type { Client } from '@temporalio/client';
import type { OperationRow } from '../../db/queries/operation-reads.js';
import { firstRunOf, isRunOf, operationOf } from '../../workflows/contract/operation/runs.js';
import { type Description, describe, nextRun } from './history.js';

type Its = Pick<OperationRow, 'id' | 'subject' | 'runId'>;

/** The newest run of an operation, or null when Temporal has none of it. */
export async function findRun(client: Client, row: Its): Promise<Description | null> {
  const current = await describe(client, row.subject);
  if (current !== null) {
    const said = { operation: operationOf(current), firstRunId: firstRunOf(current) };
    if (isRunOf(said, row)) return current;
  }
  // another operation of the subject has come since: the chain is followed run by run
  for (let runId = row.runId ?? undefined; runId !== undefined; ) {
    const run = await describe(client, row.subject, runId);
    if (run === null || run.status.name !== 'CONTINUED_AS_NEW') return run;
    runId = await nextRun(client, { workflowId: row.subject, runId });
  }
  return null;
}
