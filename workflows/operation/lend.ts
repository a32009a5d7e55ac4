import {
  CancellationScope,
  condition,
  defineSignal,
  getExternalWorkflowHandle,
  setHandler,
} from '@temporalio/workflow';
import { type LendParams, LENT_SIGNAL, type Lent, RELEASE_SIGNAL } from '../contract/operation/lend.js';
import { ENGINE_KINDS } from '../contract/operation/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { announceStart, checkedParams, claim, end } from './operation.js';
import { createRun, type Run } from './run.js';
import { waits } from './waits.js';

/** Holds a subject for its borrower, until the signal `release` or the borrower's end; it does nothing of its own. */
export async function lend(input: OperationInput<LendParams>): Promise<void> {
  const { borrower } = checkedParams(ENGINE_KINDS.lend, input);
  const run = createRun({
    kind: ENGINE_KINDS.lend.kind,
    title: ENGINE_KINDS.lend.title(input.params),
    input,
  });
  const scope = CancellationScope.current();
  const hold = { released: false, cancelled: scope.consideredCancelled };
  setHandler(defineSignal(RELEASE_SIGNAL), () => {
    hold.released = true;
  });
  scope.cancelRequested.catch(() => {
    hold.cancelled = true;
  });
  announceStart(run, {});
  await claim(run);
  await CancellationScope.nonCancellable(async () => {
    await tellBorrower(run, borrower);
    await condition(() => hold.released || hold.cancelled);
    if (!hold.released) await outlive(run, borrower, () => hold.released);
  });
  await end(run, 'succeeded', null);
}

/** A borrower that is gone needs to hear nothing: the cancel that frees this is on its way. */
async function tellBorrower({ request }: Run, { workflowId }: LendParams['borrower']): Promise<void> {
  const lent: Lent = { operation: request.id };
  await getExternalWorkflowHandle(workflowId)
    .signal(LENT_SIGNAL, lent)
    .catch(() => undefined);
}

/** A cancel comes once in a run's life: after one that is ignored this looks by itself whether the borrower lives. */
async function outlive(
  run: Run,
  { workflowId: subject, operation }: LendParams['borrower'],
  released: () => boolean,
): Promise<void> {
  const { free } = await waits().awaitSubject({ subject, operation, waitMs: 0 });
  if (free) return;
  const time = new Date().toISOString();
  const ignored = `${subject} still needs it`;
  run.decided({ action: 'cancel', time, actor: 'temporal', accepted: false, ignored });
  const watch = new CancellationScope();
  let gone = false;
  const watching = watch
    .run(() => waits().awaitSubject({ subject, operation, waitMs: null }))
    .then(
      () => void (gone = true),
      () => undefined,
    );
  await condition(() => released() || gone);
  watch.cancel();
  await watching;
}
