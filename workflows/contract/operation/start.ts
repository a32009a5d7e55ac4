import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import type { Definition } from './definition.js';
import { searchAttribute } from './search-attributes.js';

/** What a start needs of an operation's row. */
export interface StartableRow {
  id: string;
  kind: string;
  subject: string;
  title: string;
  actor: string;
  requestId: string | null;
  input: unknown;
}

/** Its kind, as far as a start needs it. */
type StartableKind = Pick<Definition<never>, 'workflow' | 'attributes'>;

interface Target {
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
  { workflow, attributes }: StartableKind,
  { namespace, taskQueue, identity }: Target,
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
    searchAttributes: { indexedFields: attributesOf(row, attributes?.(paramsOf(row)) ?? {}) },
    userMetadata: { summary: payloadOf(Array.from(title).slice(0, SUMMARY_CHARACTERS).join('')) },
  };
}

/** A row's input is what its kind has checked, or will refuse. */
function paramsOf({ input }: StartableRow): never {
  return (input as { params?: unknown } | null)?.params as never;
}

function attributesOf(
  { id, kind, actor }: StartableRow,
  ofWing: Record<string, string>,
): Record<string, Payload> {
  const pairs = [
    searchAttribute('OpId', id),
    searchAttribute('OpKind', kind),
    searchAttribute('OpState', 'starting'),
    searchAttribute('Actor', actor),
    ...Object.entries(ofWing).map(([name, value]) => searchAttribute(name, value)),
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
