import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { searchAttribute } from './search-attributes.js';

/** What a start needs of an operation's row. */
export interface StartableRow {
  id: string;
  kind: string;
  subject: string;
  title: string;
  actor: string;
  requestId: string | null;
  serverId: number | null;
  clientId: number | null;
  input: unknown;
}

interface Place {
  namespace: string;
  taskQueue: string;
  identity: string;
}

/** The server takes 200 bytes; four bytes is the longest character. */
const SUMMARY_CHARACTERS = 50;
/** `WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE` and `WORKFLOW_ID_CONFLICT_POLICY_FAIL`: one operation per subject at a time. */
const ONE_AT_A_TIME: object = { workflowIdReusePolicy: 1, workflowIdConflictPolicy: 1 };

/**
 * The start of a recorded operation. Raw, because its request id must be the operation's id: asked again, by API or
 * sweep, the server then answers with the run that it has already started.
 */
export function startRequest(
  row: StartableRow,
  workflow: string,
  { namespace, taskQueue, identity }: Place,
): temporal.api.workflowservice.v1.IStartWorkflowExecutionRequest {
  const { id, kind, subject, title, actor, requestId } = row;
  return {
    namespace,
    identity,
    requestId: id,
    workflowId: subject,
    ...ONE_AT_A_TIME,
    workflowType: { name: workflow },
    taskQueue: { name: taskQueue },
    input: { payloads: [payloadOf(row.input)] },
    memo: { fields: payloadsOf({ operation: id, kind, subject, title, actor, requestId }) },
    searchAttributes: { indexedFields: attributesOf(row) },
    userMetadata: { summary: payloadOf(Array.from(title).slice(0, SUMMARY_CHARACTERS).join('')) },
  };
}

function attributesOf({ id, kind, actor, serverId, clientId }: StartableRow): Record<string, Payload> {
  const pairs = [
    searchAttribute('OpId', id),
    searchAttribute('OpKind', kind),
    searchAttribute('OpState', 'starting'),
    searchAttribute('Actor', actor),
    ...(serverId === null ? [] : [searchAttribute('ServerId', String(serverId))]),
    ...(clientId === null ? [] : [searchAttribute('ClientId', String(clientId))]),
  ];
  const type = new TextEncoder().encode('Keyword');
  return Object.fromEntries(
    pairs.map(({ key, value }) => {
      const payload = payloadOf(value);
      return [key.name, { ...payload, metadata: { ...payload.metadata, type } }];
    }),
  );
}

function payloadsOf(fields: Record<string, unknown>): Record<string, Payload> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, payloadOf(value)]));
}

function payloadOf(value: unknown): Payload {
  return defaultPayloadConverter.toPayload(value);
}
