import type { WorkflowExecutionDescription } from '@temporalio/client';
import { ENGINE_ATTRIBUTES } from './search-attributes.js';

/** A state that is not one of these may still go on, also one that is newer than this code. */
const CLOSED: readonly string[] = ['COMPLETED', 'FAILED', 'CANCELLED', 'TERMINATED', 'TIMED_OUT'];
/** Workflow task attempts from which a bug, and not a slow worker, is likely. */
const STUCK_ATTEMPTS = 3;

/** Whether a current run, which is never one that has continued as new, has not ended. */
export function isOpen({ status }: { status: { name: string } }): boolean {
  return !CLOSED.includes(status.name);
}

/** The operation that a run says it is of. The memo is of our own starts, the attribute also of those by hand. */
export function operationOf({
  memo,
  typedSearchAttributes,
}: Pick<WorkflowExecutionDescription, 'memo' | 'typedSearchAttributes'>): string | undefined {
  const said = memo?.['operation'];
  return typeof said === 'string' ? said : typedSearchAttributes.get(ENGINE_ATTRIBUTES.OpId);
}

/** The first of the chain that continue-as-new makes: the one that an operation's row names. */
export function firstRunOf({ raw, runId }: Pick<WorkflowExecutionDescription, 'raw' | 'runId'>): string {
  return raw.workflowExecutionInfo?.firstRunId || runId;
}

/** Whether a run is an operation's: by the name that it says, and as long as it says none, by the run that the row knows. */
export function isRunOf(
  { operation, firstRunId }: { operation: string | undefined; firstRunId: string },
  { id, runId }: { id: string; runId: string | null },
): boolean {
  return operation === undefined ? firstRunId === runId : operation === id;
}

/** Its code fails again and again: a bug. */
export function isStuck({ raw }: Pick<WorkflowExecutionDescription, 'raw'>): boolean {
  return (raw.pendingWorkflowTask?.attempt ?? 0) >= STUCK_ATTEMPTS;
}
