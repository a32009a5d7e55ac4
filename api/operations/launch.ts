import { isGrpcServiceError } from '@temporalio/client';
import type { OperationRow } from '../../db/queries/operation-reads.js';
import { requireKind } from '../../workflows/contract/kinds.js';
import { startRequest } from '../../workflows/contract/operation/start.js';
import { grpcCode, isTemporalAway } from '../http/errors.js';
import type { Temporal } from './temporal.js';

const ALREADY_EXISTS = 6;

/** `unknown`: asked, but no answer came: it may run or not. */
export type Launch = 'started' | 'taken' | 'unknown';

interface LaunchOptions {
  temporal: Temporal;
  row: OperationRow;
  deadlineMs: number;
}

/** Starts the operation of a recorded row; asked again, Temporal answers with the run that it has already started. */
export async function launch({ temporal, row, deadlineMs }: LaunchOptions): Promise<Launch> {
  const { namespace, taskQueue, client } = temporal;
  const request = startRequest(row, requireKind(row.kind), {
    namespace,
    taskQueue,
    identity: client.options.identity,
  });
  try {
    await temporal.within(deadlineMs, () =>
      temporal.connection.workflowService.startWorkflowExecution(request),
    );
    return 'started';
  } catch (error) {
    if (grpcCode(error) === ALREADY_EXISTS) return startedByUs(error, row.id) ? 'started' : 'taken';
    if (isTemporalAway(error)) return 'unknown';
    throw error;
  }
}

/** A server that lost its answer once may report our own run as somebody else's. */
function startedByUs(error: unknown, operation: string): boolean {
  const cause = error instanceof Error && !isGrpcServiceError(error) ? error.cause : error;
  if (!isGrpcServiceError(cause)) return false;
  const details = cause.metadata.get('grpc-status-details-bin')[0];
  return details instanceof Buffer && details.includes(operation);
}
