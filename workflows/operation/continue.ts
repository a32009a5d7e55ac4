import { makeContinueAsNewFunc, workflowInfo } from '@temporalio/workflow';
import type { OperationInput } from '../contract/operation/operation.js';
import type { Run } from './run.js';

/** The next run of the chain tells the story from its beginning, with all that this run knows. */
export async function goOnAsNew(run: Run): Promise<never> {
  const { request: operation, params } = run;
  const next: OperationInput<unknown> & { carried: unknown } = {
    operation,
    params,
    carried: run.carried(),
  };
  return makeContinueAsNewFunc<(input: unknown) => Promise<unknown>>({
    workflowType: workflowInfo().workflowType,
  })(next);
}
