import { CancellationScope } from '@temporalio/workflow';
import { failure } from '../../contract/operation/failures.js';
import type { FanOutResult } from '../../contract/operation/fan-out.js';
import { createDrive } from './drive.js';
import { type CarriedTable, type FanOutOptions, openState } from './state.js';
import type { Run } from '../run.js';
import type { Steps } from '../steps.js';

/** List and table are handed from run to run, some 200 bytes for each child, and a payload takes 2 MB. */
const CHILDREN_LIMIT = 5_000;

/**
 * Starts one operation for each of many subjects, some at a time, and waits for all. A child that fails or holds does
 * not stop the others until the rules say so; then the parent holds: `retry` goes on with the failed ones, `rollback`
 * starts no more. What has been done stays. The table survives continue-as-new.
 */
export function createFanOut(run: Run, { step }: Pick<Steps, 'step'>) {
  return async function fanOut(key: string, options: FanOutOptions): Promise<FanOutResult> {
    const doneKey = `${key}-done`;
    if (run.results.has(doneKey)) return run.results.get(doneKey) as FanOutResult;
    const children = await step(key, { title: options.title, do: options.list, planned: [] });
    if (children.length > CHILDREN_LIMIT)
      throw failure(
        'InvalidInput',
        `${children.length} are too many for one fan-out: at most ${CHILDREN_LIMIT}`,
      );
    const carried = run.tables.get(key) as CarriedTable | undefined;
    const drive = createDrive(openState({ run, key, options, children }, carried));
    const result = await CancellationScope.nonCancellable(drive);
    run.results.set(doneKey, result);
    return result;
  };
}
