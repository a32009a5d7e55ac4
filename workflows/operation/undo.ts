import { CancellationScope } from '@temporalio/workflow';
import { callAct } from './calls.js';
import type { Run } from './run.js';
import type { SagaEntry } from './saga.js';
import { stepErrorOf } from './step-failure.js';
import { undoTiming } from './timing.js';

/** Undoes newest first. It cannot be cancelled, and one that fails becomes a leftover without stopping the others. */
export async function undoAll(run: Run, entries: SagaEntry[]): Promise<void> {
  await CancellationScope.nonCancellable(async () => {
    for (const entry of entries) await undoOne(run, entry);
  });
}

async function undoOne(run: Run, { step: key, dangerous = false, ...undo }: SagaEntry): Promise<void> {
  const ref = run.refer({ step: key, title: `Undo: ${undo.title}`, phase: 'undo', undo });
  const time = () => new Date().toISOString();
  try {
    await callAct(undo, ref, { ...undoTiming(run.limits.undoAttempts), activityId: `undo:${undo.id}` });
    run.apply({ type: 'step_ended', key, state: 'undone', time: time() });
  } catch (thrown) {
    const error = stepErrorOf(thrown);
    run.apply({ type: 'step_ended', key, state: 'undo_failed', time: time(), error });
    run.leaveOver({ step: key, what: undo.title, error: error.message, dangerous });
  }
}
