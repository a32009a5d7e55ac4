import type { CleanupActivities } from '../../activities/operation/cleanup.js';
import type { PlaceActivities } from '../../activities/operation/places.js';
import type { CleanupParams } from '../contract/operation/cleanup.js';
import { failure } from '../contract/operation/failures.js';
import { ENGINE_KINDS } from '../contract/operation/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from './acts.js';
import { runOperation } from './operation.js';

const records = acts<CleanupActivities>('operation');
const places = acts<PlaceActivities>('operation');

/** Runs the open undos of a subject's operations, newest first; what still cannot be undone is left over again. */
export async function cleanup(input: OperationInput<CleanupParams>): Promise<{ undone: number }> {
  return runOperation(ENGINE_KINDS.cleanup, input, async (op) => {
    const left = await op.check('list', {
      title: 'List what is left',
      do: records.listLeft({ subject: op.params.subject }),
    });
    for (const { key, ...job } of left.jobs) {
      await op.step(key, {
        title: `End what still runs of ${job.operation}`,
        do: places.endJobs(job),
        // a host that does not answer must not keep back undos that need none; those that do fail by themselves
        onFail: 'warn',
      });
    }
    await op.undoLeft(left.undos);
    const { open } = await op.step('look-again', {
      title: 'Look what is still left',
      do: records.countLeft({ subject: op.params.subject }),
      planned: { open: 0 },
    });
    if (open > 0) throw failure('CommandFailed', `${open} of ${left.undos.length} could not be undone`);
    return { undone: left.undos.length };
  });
}
