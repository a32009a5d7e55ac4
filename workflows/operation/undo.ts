import { CancellationScope } from '@temporalio/workflow';
import { activitiesOf } from './acts.js';
import type { CleanupRecords, LeftUndo } from '../contract/operation/cleanup.js';
import { callAct } from './calls.js';
import type { Run } from './run.js';
import type { SagaEntry } from './saga.js';
import { stepErrorOf } from './step-failure.js';
import { CLAIM_TIMING, undoTiming } from './timing.js';

/**
 * Undoes newest first. It cannot be cancelled, and one that fails becomes a leftover without stopping the others.
 * Answers those that failed.
 */
export async function undoAll(run: Run, entries: SagaEntry[]): Promise<SagaEntry[]> {
  return CancellationScope.nonCancellable(async () => {
    const failed: SagaEntry[] = [];
    for (const entry of entries) if ((await undoOne(run, entry)) !== null) failed.push(entry);
    return failed;
  });
}

/** The same for what other operations have left: each one is a step of this operation, and closed in their ledger. */
export async function undoLeft(run: Run, undos: LeftUndo[]): Promise<void> {
  const { settleUndo } = activitiesOf<CleanupRecords>('operation', CLAIM_TIMING);
  await CancellationScope.nonCancellable(async () => {
    for (const { key, ...undo } of undos) {
      const time = new Date().toISOString();
      run.apply({ type: 'step_started', key, title: `Undo: ${undo.title}`, attempt: 1, time });
      const error = await undoOne(run, { step: key, ...undo });
      await settleUndo({ operation: undo.of, id: undo.id, error });
    }
  });
}

/** What keeps it from being undone; null when it is. */
async function undoOne(
  run: Run,
  { step: key, dangerous = false, ...undo }: SagaEntry,
): Promise<string | null> {
  const ref = run.refer({ step: key, title: `Undo: ${undo.title}`, phase: 'undo', undo });
  const time = () => new Date().toISOString();
  try {
    await callAct(undo, ref, { ...undoTiming(run.limits.undoAttempts), activityId: `undo:${undo.id}` });
    run.apply({ type: 'step_ended', key, state: 'undone', time: time() });
    return null;
  } catch (thrown) {
    const error = stepErrorOf(thrown);
    run.apply({ type: 'step_ended', key, state: 'undo_failed', time: time(), error });
    run.leaveOver({ step: key, what: undo.title, error: error.message, dangerous });
    return error.message;
  }
}
