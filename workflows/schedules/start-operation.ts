import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ChildWorkflowCancellationType,
  type ChildWorkflowHandle,
  condition,
  ParentClosePolicy,
  startChild,
  type Workflow,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import { makeOperationId } from '../contract/operation/ids.js';
import type { OperationRequest } from '../contract/operation/operation.js';
import { searchAttribute } from '../contract/operation/search-attributes.js';
import { KINDS, type OperationKind } from '../contract/kinds.js';

export interface SweptOperation {
  kind: OperationKind;
  subject: string;
  params: object;
  actor: string;
}

/** Longer than most take: a lane of a sweep goes on then, and the operation too. */
const LANE_WAIT = '2 minutes';

/**
 * Starts an operation on behalf of a sweep. Undefined when something runs on the subject: "already running" is busy,
 * and the next sweep tries again. It goes on when the sweep has ended or is cancelled. Nobody is there who could decide
 * a hold, so what fails is rolled back.
 */
export async function startOperation({
  kind,
  subject,
  params,
  actor,
}: SweptOperation): Promise<ChildWorkflowHandle<Workflow> | undefined> {
  const id = makeOperationId(Date.now(), Math.random);
  const operation: OperationRequest = { id, actor, requestId: null, onFailure: 'rollback' };
  try {
    return await startChild(KINDS[kind].workflow, {
      workflowId: subject,
      args: [{ operation, params }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      cancellationType: ChildWorkflowCancellationType.ABANDON,
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      memo: { operation: id, kind, subject, actor, requestId: null },
      typedSearchAttributes: [
        { key: searchAttribute('OpId', id).key, value: id },
        { key: searchAttribute('OpKind', kind).key, value: kind },
      ],
    });
  } catch (thrown) {
    if (thrown instanceof WorkflowExecutionAlreadyStartedError) return undefined;
    throw thrown;
  }
}

/** How it went, in time for a lane of a sweep; the operation's own record tells the rest. */
export async function runOperationInLane(
  swept: SweptOperation,
): Promise<'done' | 'failed' | 'busy' | 'late'> {
  const handle = await startOperation(swept);
  if (handle === undefined) return 'busy';
  let outcome: 'done' | 'failed' | undefined;
  void handle.result().then(
    () => (outcome = 'done'),
    () => (outcome = 'failed'),
  );
  await condition(() => outcome !== undefined, LANE_WAIT);
  return outcome ?? 'late';
}

/** Works through a list in so many lanes. */
export async function inLanes<Item>(
  items: readonly Item[],
  lanes: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const lane = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(lanes, items.length) }, lane));
}
