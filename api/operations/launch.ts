import { isGrpcServiceError } from '@temporalio/client';
import { encodeUnifiedSearchAttributes } from '@temporalio/common/lib/converter/payload-search-attributes.js';
import {
  encodeMapToPayloads,
  encodeToPayloads,
  encodeUserMetadata,
} from '@temporalio/common/lib/internal-non-workflow/codec-helpers.js';
import temporalProto from '@temporalio/proto';
import { searchAttribute } from '../../workflows/contract/search-attributes.js';
import type { OperationRow } from '../../db/queries/operation-reads.js';
import { grpcCode, isTemporalAway } from '../errors.js';
import type { Temporal } from '../temporal.js';

const { WorkflowIdConflictPolicy, WorkflowIdReusePolicy } = temporalProto.temporal.api.enums.v1;
const ALREADY_EXISTS = 6;
/** The server takes 200 bytes; four bytes is the longest character. */
const SUMMARY_CHARACTERS = 50;

/** Kinds that the API starts, with the workflow type that runs them. */
export const WORKFLOW_TYPES = {
  create_client: 'createClient',
  delete_client: 'deleteClient',
  set_admin_password: 'setAdminPassword',
} as const;
export type OperationKind = keyof typeof WORKFLOW_TYPES;

/** `unknown`: asked, but no answer came: it may run or not. */
export type Launch = 'started' | 'taken' | 'unknown';

interface LaunchOptions {
  temporal: Temporal;
  row: OperationRow;
  deadlineMs: number;
}

/**
 * Starts the operation of a recorded row. Raw, because the start's request id must be the operation's id: asked
 * again, the server then answers with the run that it has already started.
 */
export async function launch({ temporal, row, deadlineMs }: LaunchOptions): Promise<Launch> {
  const request = await startRequest(temporal, row);
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

async function startRequest({ client, namespace, taskQueue }: Temporal, row: OperationRow) {
  const converter = client.options.loadedDataConverter;
  const type = (WORKFLOW_TYPES as Record<string, string>)[row.kind];
  if (type === undefined) throw new Error(`no workflow runs operations of kind ${row.kind}`);
  const memo = {
    operation: row.id,
    kind: row.kind,
    subject: row.subject,
    title: row.title,
    actor: row.actor,
    requestId: row.requestId,
  };
  const attributes = [
    searchAttribute('OpId', row.id),
    searchAttribute('OpKind', row.kind),
    searchAttribute('OpState', 'starting'),
    searchAttribute('Actor', row.actor),
    ...(row.serverId === null ? [] : [searchAttribute('ServerId', String(row.serverId))]),
    ...(row.clientId === null ? [] : [searchAttribute('ClientId', String(row.clientId))]),
  ];
  const userMetadata = await encodeUserMetadata(
    converter,
    Array.from(row.title).slice(0, SUMMARY_CHARACTERS).join(''),
    undefined,
  );
  return {
    namespace,
    identity: client.options.identity,
    requestId: row.id,
    workflowId: row.subject,
    workflowIdReusePolicy: WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
    workflowIdConflictPolicy: WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
    workflowType: { name: type },
    taskQueue: { name: taskQueue },
    input: { payloads: (await encodeToPayloads(converter, row.input)) ?? [] },
    memo: { fields: await encodeMapToPayloads(converter, memo) },
    searchAttributes: { indexedFields: encodeUnifiedSearchAttributes(undefined, attributes) },
    ...(userMetadata === undefined ? {} : { userMetadata }),
  };
}

/** A server that lost its answer once may report our own run as somebody else's. */
function startedByUs(error: unknown, operation: string): boolean {
  const cause = error instanceof Error && !isGrpcServiceError(error) ? error.cause : error;
  if (!isGrpcServiceError(cause)) return false;
  const details = cause.metadata.get('grpc-status-details-bin')[0];
  return details instanceof Buffer && details.includes(operation);
}
