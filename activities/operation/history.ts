import { type Client, isGrpcServiceError, ServiceError, WorkflowNotFoundError } from '@temporalio/client';
import temporalProto from '@temporalio/proto';
import type { HistoryEvent } from '../../workflows/contract/operation/timeline.js';

const { HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT } = temporalProto.temporal.api.enums.v1.HistoryEventFilterType;
const NOT_FOUND = 5;
/** The server counts transactions of a few events each: some hundred kilobytes. */
const PAGE_SIZE = 250;

export interface Execution {
  workflowId: string;
  runId: string;
}

export type Description = NonNullable<Awaited<ReturnType<typeof describe>>>;

/** A run as Temporal knows it, the newest without `runId`; null when it knows none. */
export async function describe(client: Client, workflowId: string, runId?: string) {
  try {
    return await client.workflow.getHandle(workflowId, runId).describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

/** The history of one run, page by page; nothing when Temporal does not have it. */
export async function* historyPages(client: Client, execution: Execution): AsyncGenerator<HistoryEvent[]> {
  let nextPageToken: Uint8Array | undefined;
  do {
    const page = await ask(client, { execution, nextPageToken, maximumPageSize: PAGE_SIZE });
    if (page === null) return;
    nextPageToken = page.nextPageToken?.length ? page.nextPageToken : undefined;
    yield page.history?.events ?? [];
  } while (nextPageToken !== undefined);
}

/** The run that goes on where this one has continued as new; undefined when it ended otherwise or is gone. */
export async function nextRun(client: Client, execution: Execution): Promise<string | undefined> {
  const page = await ask(client, {
    execution,
    historyEventFilterType: HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
  });
  return continuedAs(page?.history?.events?.at(-1));
}

export function continuedAs(event: HistoryEvent | undefined): string | undefined {
  return event?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? undefined;
}

interface Ask {
  execution: Execution;
  nextPageToken?: Uint8Array | undefined;
  maximumPageSize?: number;
  historyEventFilterType?: temporalProto.temporal.api.enums.v1.HistoryEventFilterType;
}

async function ask(client: Client, { nextPageToken, ...request }: Ask) {
  try {
    return await client.workflowService.getWorkflowExecutionHistory({
      namespace: client.options.namespace,
      ...request,
      ...(nextPageToken === undefined ? {} : { nextPageToken }),
    });
  } catch (error) {
    if (codeOf(error) === NOT_FOUND) return null;
    throw error;
  }
}

/** The gRPC status of an error of the Temporal client, wrapped or not. */
export function codeOf(error: unknown): number | undefined {
  if (isGrpcServiceError(error)) return error.code;
  return error instanceof ServiceError ? codeOf(error.cause) : undefined;
}
