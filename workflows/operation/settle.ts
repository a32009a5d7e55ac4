import {
  ApplicationFailure,
  CancellationScope,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { activitiesOf } from './acts.js';
import { goOnAsNew } from './continue.js';
import { capText, hintOf, kindOf, REACTIONS } from '../contract/operation/failures.js';
import type { OperationRecords } from '../contract/operation/records.js';
import { searchAttribute } from '../contract/operation/search-attributes.js';
import {
  forwardRetryWait,
  hasInput,
  holdActions,
  openWindow,
  renewWindow,
  type TakenDecision,
  type Window,
} from './hold.js';
import { tellParent } from './parent.js';
import type { Run } from './run.js';
import { StepFailed, stepErrorOf, ToldAgain } from './step-failure.js';
import type { StepOptions } from './step-options.js';
import { RECORD_TIMING } from './timing.js';

export interface Settling {
  /** Returns when the failed step is to be done again or counts as skipped; throws when the operation must end. */
  settle(failed: StepFailed, options: StepOptions<unknown>): Promise<void>;
}

/** What follows a failure that no automatic retry mended: roll back, or hold and do what the operator decides. */
export function createSettling(run: Run): Settling {
  function endsAtOnce({ key, error }: StepFailed): boolean {
    if (run.committed) return false;
    const { onFailure } = run.request;
    const rollsBack = REACTIONS[error.kind].finally === 'rollback' && !run.heldBefore.has(key);
    return rollsBack || onFailure === 'rollback' || run.limits.holdWindowMs === 0;
  }

  /** A decision to go on counts once the servers are ours again; when they are not to be had, it holds again. */
  async function decide(failed: StepFailed, options: StepOptions<unknown>): Promise<TakenDecision> {
    run.holds += 1;
    run.admission.giveBack(failed.error.kind);
    try {
      const decision = (await hold(run, { failed, options, number: run.holds })) ?? { action: 'retry' };
      if (decision.action === 'rollback') throw failed;
      const barred = await takeServers(run, failed.key);
      if (barred === undefined) return decision;
      failed = barred;
    } catch (thrown) {
      giveUp(run, failed);
      throw thrown;
    }
    return decide(failed, options);
  }

  return {
    async settle(failed, options) {
      if (options.onFail === 'rollback' && !run.committed) throw failed;
      if (endsAtOnce(failed)) throw failed;
      const decision = await decide(failed, options);
      if (decision.action === 'skip') skip(run, failed, options, decision);
      else {
        run.heldBefore.add(failed.key);
        run.nextTry(failed.key);
      }
      run.apply({ type: 'resumed' });
      await run.recorder.flush();
      await tellParent(run, { state: 'running' });
      // a forward-only hold may last for months, and a history may not
      const isLong = workflowInfo().continueAsNewSuggested;
      if (run.committed && isLong && !run.borrows && !hasInput(decision)) await goOnAsNew(run);
      if (!hasInput(decision)) return;
      for (const key of forgetFrom(run, options.editable?.from ?? failed.key)) run.heldBefore.add(key);
      throw new ToldAgain();
    },
  };
}

/** Undefined once they are ours again; otherwise what the step holds with. */
async function takeServers(run: Run, key: string): Promise<StepFailed | undefined> {
  const { need, state } = run.admission;
  if (need === undefined || state.admitted) return undefined;
  run.apply({ type: 'resumed' });
  try {
    await (run.committed ? CancellationScope.nonCancellable(run.admission.take) : run.admission.take());
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof ApplicationFailure)) throw thrown;
    const hint = hintOf(thrown);
    const error = { kind: kindOf(thrown), message: thrown.message, ...(hint === undefined ? {} : { hint }) };
    return new StepFailed(key, error);
  }
}

/** The step no longer waits: the operation was cancelled or rolls back. */
function giveUp(run: Run, { key, error }: StepFailed): void {
  run.apply({ type: 'step_ended', key, state: 'failed', time: new Date().toISOString(), error });
  run.recorder.step({ key, state: 'failed' });
}

/** Steps from `key` on are done again: with changed input their results and job keys no longer hold. */
export function forgetFrom(run: Run, key: string): string[] {
  const keys = [...run.results.keys()];
  const from = keys.indexOf(key);
  if (from < 0) return [];
  const forgotten = keys.slice(from);
  for (const step of forgotten) {
    run.results.delete(step);
    run.nextTry(step);
  }
  return forgotten;
}

interface Held {
  failed: StepFailed;
  options: Pick<StepOptions<unknown>, 'skippable' | 'editable'>;
  number: number;
  /** what ends the hold without a decision */
  orWhen?: () => boolean;
}

/**
 * Waits for a person, as long as the window lasts; then, and where nobody decides, the answer is `rollback`. Undefined:
 * it ended by itself, as the forward-only operations do that try again now and then.
 */
export async function hold(run: Run, held: Held): Promise<TakenDecision | undefined> {
  let window = openWindow(run.limits.holdWindowMs);
  run.decisions.open();
  await announce(run, held, window);
  for (;;) {
    const decision = await nextDecision(run, window, held);
    if (decision !== undefined && !(await inputIsValid(run, decision))) {
      run.decisions.open();
      continue;
    }
    if (decision !== undefined || run.committed || held.orWhen?.() === true) {
      run.decisions.close();
      upsertSearchAttributes([searchAttribute('OpState', 'running'), searchAttribute('FailedStep', null)]);
      run.error = null;
      run.failedStep = null;
      return decision;
    }
    const renewed = renewWindow(window, run.limits);
    if (renewed === undefined) {
      run.decisions.close();
      return { action: 'rollback' };
    }
    window = renewed;
    await announce(run, held, window);
  }
}

/** A forward-only operation cannot be cancelled and has no window: it tries again by itself now and then. */
function nextDecision(
  run: Run,
  window: Window,
  { failed, orWhen }: Held,
): Promise<TakenDecision | undefined> {
  if (!run.committed) return run.decisions.next(window.until - Date.now(), orWhen);
  const waitMs = forwardRetryWait(run.limits.forwardRetryMs, run.tryOf(failed.key));
  return CancellationScope.nonCancellable(() => run.decisions.next(waitMs, orWhen));
}

async function announce(run: Run, { failed, options, number }: Held, window: Window): Promise<void> {
  const { key: step, error } = failed;
  const until = run.committed ? null : new Date(window.until).toISOString();
  const editable = options.editable?.fields;
  const actions = holdActions({ skippable: options.skippable === true, committed: run.committed });
  run.error = error;
  run.failedStep = step;
  run.apply({
    type: 'held',
    hold: { number, step, until, actions, error, ...(editable === undefined ? {} : { editable }) },
  });
  upsertSearchAttributes([searchAttribute('OpState', 'holding'), searchAttribute('FailedStep', step)]);
  run.recorder.step({ key: step, state: 'holding' });
  const limit = until === null ? '' : ` until ${until}`;
  run.recorder.line({
    type: 'held',
    step,
    message: `waiting for a person${limit}: ${error.message}`,
    level: 'warning',
  });
  await run.recorder.flush();
  run.publish();
  await tellParent(run, { state: 'holding', hold: number, reason: error.message });
}

async function inputIsValid(run: Run, decision: TakenDecision): Promise<boolean> {
  if (!hasInput(decision)) return true;
  const { checkEdit } = activitiesOf<OperationRecords>('operation', RECORD_TIMING);
  const { kind, params } = run;
  const verdict = await CancellationScope.nonCancellable(() =>
    checkEdit({ kind, params, input: decision.input ?? {} }),
  ).catch((thrown) => ({
    ok: false as const,
    message: `could not be checked: ${stepErrorOf(thrown).message}`,
  }));
  const { id, note, actor = 'unknown', hold } = decision;
  run.decided({
    action: 'retry',
    time: new Date().toISOString(),
    actor,
    accepted: verdict.ok,
    ...(id === undefined ? {} : { id }),
    ...(note === undefined ? {} : { note }),
    ...(hold === undefined ? {} : { hold }),
    ...(verdict.ok ? {} : { ignored: capText(verdict.message, 300) }),
  });
  if (verdict.ok) run.params = verdict.params;
  return verdict.ok;
}

function skip(run: Run, failed: StepFailed, options: StepOptions<unknown>, decision: TakenDecision): void {
  const { key, error } = failed;
  run.results.set(key, undefined);
  run.apply({ type: 'step_ended', key, state: 'skipped', time: new Date().toISOString() });
  run.recorder.step({ key, state: 'skipped' });
  warn(run, key, `skipped (${decision.note ?? ''}): ${error.message}`);
  if (!run.committed) return;
  // the ledger holds undos only, so no clean-up would find it
  const remedy = 'By hand, where it was skipped: no clean-up runs it';
  run.leaveOver({ step: key, what: options.title, error: error.message, remedy });
}

export function warn(run: Run, step: string, message: string): void {
  run.apply({ type: 'warned', warning: { step, message } });
  run.recorder.line({ type: 'warned', step, message: `Warning: ${message}`, level: 'warning' });
}
