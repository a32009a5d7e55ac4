import { CancellationScope, proxyActivities, upsertSearchAttributes } from '@temporalio/workflow';
import { capText, REACTIONS } from '../contract/failures.js';
import type { OperationRecords } from '../contract/records.js';
import { searchAttribute } from '../contract/search-attributes.js';
import { hasInput, holdActions, openWindow, renewWindow, type TakenDecision, type Window } from './hold.js';
import type { Run } from './run.js';
import { type StepFailed, stepErrorOf, ToldAgain } from './step-failure.js';
import type { StepOptions } from './steps.js';
import { RECORD_TIMING } from './timing.js';

export interface Settling {
  /** Returns when the failed step is to be done again or counts as skipped; throws when the operation must end. */
  settle(failed: StepFailed, options: StepOptions<unknown>): Promise<void>;
}

/** What follows a failure that no automatic retry mended: roll back, or hold and do what the operator decides. */
export function createSettling(run: Run): Settling {
  const heldBefore = new Set<string>();
  let holds = 0;

  function endsAtOnce({ key, error }: StepFailed): boolean {
    if (run.committed) return false;
    const { onFailure } = run.request;
    const rollsBack = REACTIONS[error.kind].finally === 'rollback' && !heldBefore.has(key);
    return rollsBack || onFailure === 'rollback' || run.limits.holdWindowMs === 0;
  }

  return {
    async settle(failed, options) {
      if (endsAtOnce(failed)) throw failed;
      holds += 1;
      const decision = await hold(run, { failed, options, number: holds }).catch((thrown: unknown) => {
        giveUp(run, failed);
        throw thrown;
      });
      if (decision.action === 'rollback') {
        giveUp(run, failed);
        throw failed;
      }
      if (decision.action === 'skip') skip(run, failed, options, decision);
      else {
        heldBefore.add(failed.key);
        run.nextTry(failed.key);
      }
      run.apply({ type: 'resumed' });
      await run.recorder.flush();
      if (!hasInput(decision)) return;
      for (const key of forgetFrom(run, options.editable?.from ?? failed.key)) heldBefore.add(key);
      throw new ToldAgain();
    },
  };
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
  options: StepOptions<unknown>;
  number: number;
}

async function hold(run: Run, held: Held): Promise<TakenDecision> {
  let window = openWindow(run.limits.holdWindowMs);
  run.decisions.open();
  await announce(run, held, window);
  for (;;) {
    const decision = await nextDecision(run, window);
    if (decision !== undefined && !(await inputIsValid(run, decision))) {
      run.decisions.open();
      continue;
    }
    if (decision !== undefined || run.committed) {
      run.decisions.close();
      upsertSearchAttributes([searchAttribute('OpState', 'running'), searchAttribute('FailedStep', null)]);
      run.error = null;
      run.failedStep = null;
      return decision ?? { action: 'retry' };
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
function nextDecision(run: Run, window: Window): Promise<TakenDecision | undefined> {
  if (!run.committed) return run.decisions.next(window.until - Date.now());
  return CancellationScope.nonCancellable(() => run.decisions.next(run.limits.forwardRetryMs));
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
}

async function inputIsValid(run: Run, decision: TakenDecision): Promise<boolean> {
  if (!hasInput(decision)) return true;
  const { checkEdit } = proxyActivities<OperationRecords>(RECORD_TIMING);
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
  if (run.committed) run.leaveOver({ step: key, what: options.title, error: error.message });
}

export function warn(run: Run, step: string, message: string): void {
  run.apply({ type: 'warned', warning: { step, message } });
  run.recorder.line({ type: 'warned', step, message: `Warning: ${message}`, level: 'warning' });
}
