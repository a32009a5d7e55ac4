import { condition, makeContinueAsNewFunc, workflowInfo } from '@temporalio/workflow';
import type { OperationInput } from '../../contract/operation/operation.js';
import { carriedTable, type FanOutState } from './state.js';

/** The next run of the chain tells the story from its beginning, with the table and all that this run knows. */
export async function goOnAsNew(state: FanOutState): Promise<void> {
  const { run, key } = state;
  await condition(() => state.starting === 0);
  await run.recorder.flush();
  run.tables.set(key, carriedTable(state));
  const { request: operation, params } = run;
  const next: OperationInput<unknown> & { carried: unknown } = {
    operation,
    params,
    carried: run.carried(),
  };
  await makeContinueAsNewFunc<(input: unknown) => Promise<unknown>>({
    workflowType: workflowInfo().workflowType,
  })(next);
}
