import { CancellationScope, getExternalWorkflowHandle, workflowInfo } from '@temporalio/workflow';
import { CHILD_SIGNAL, type ChildReport } from '../contract/operation/fan-out.js';
import type { Run } from './run.js';

/** Says to the operation that started this one how it goes. A parent that is gone needs to hear nothing. */
export async function tellParent(
  { request, subject }: Pick<Run, 'request' | 'subject'>,
  report: Pick<ChildReport, 'state' | 'hold' | 'reason'>,
): Promise<void> {
  const { parent, id } = request;
  if (parent === undefined) return;
  const child: ChildReport = { subject, operation: id, runId: workflowInfo().runId, ...report };
  await CancellationScope.nonCancellable(() =>
    getExternalWorkflowHandle(parent.workflowId).signal(CHILD_SIGNAL, child),
  ).catch(() => undefined);
}
