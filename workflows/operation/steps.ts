import { CancellationScope, CancelledFailure, isCancellation, workflowInfo } from '@temporalio/workflow';
import { waitsQueue } from '../contract/operation/admission.js';
import type { StepError, StepState } from '../contract/operation/operation.js';
import type { StepRef } from '../contract/operation/step.js';
import { callAct } from './calls.js';
import type { Run } from './run.js';
import { createSettling, forgetFrom, warn } from './settle.js';
import { StepFailed, stepErrorOf } from './step-failure.js';
import type { CheckOptions, DuringOptions, StepOptions, TakeStep } from './step-options.js';
import { actTiming } from './timing.js';
import { undoAll } from './undo.js';

/** Enough for everything that is not a build, a migration or a copy. */
const SHORT = '2 minutes';

/** What `during` adds to a step of its own. */
interface OwnOptions {
  /** its undo leaves a dangerous state */
  dangerous?: boolean;
  /** it leaves the dangerous state of this step */
  closes?: string;
}

export interface Steps {
  step: TakeStep;
  check<Result>(key: string, options: CheckOptions<Result>): Promise<Result>;
  during(key: string, options: DuringOptions, body: () => Promise<void>): Promise<void>;
}

export function createSteps(run: Run): Steps {
  const settling = createSettling(run);
  const failedOptions = new Map<string, StepOptions<unknown>>();
  let bodies = 0;

  async function step<Result>(key: string, options: StepOptions<Result> & OwnOptions): Promise<Result> {
    while (!run.results.has(key)) {
      try {
        run.results.set(key, await attempt(run, key, options));
      } catch (thrown) {
        await failed(key, options, thrown);
      }
    }
    return run.results.get(key) as Result;
  }

  async function failed(key: string, options: StepOptions<unknown>, thrown: unknown): Promise<void> {
    if (isCancellation(thrown)) {
      endStep(run, key, { state: 'failed' });
      run.recorder.step({ key, state: 'failed' });
      throw thrown;
    }
    const error = stepErrorOf(thrown);
    endStep(run, key, { state: 'failed', error });
    if (options.onFail === 'warn') {
      warn(run, key, error.message);
      run.results.set(key, undefined);
      return;
    }
    const failure = new StepFailed(key, error);
    failedOptions.set(key, options);
    // inside a dangerous state nobody is asked: the body is left first
    if (bodies > 0 && !run.committed) throw failure;
    await settling.settle(failure, options);
  }

  async function during(key: string, options: DuringOptions, body: () => Promise<void>): Promise<void> {
    const leftKey = `${key}-left`;
    // a story told again only needs what the body answers, unless some of it is to be done again
    if (run.results.has(leftKey)) await body();
    while (!run.results.has(leftKey)) {
      // entered when the story was told before, and left since
      if (run.results.has(key) && !run.entered.has(key)) forgetFrom(run, key);
      run.entered.add(key);
      const depth = run.saga.depth();
      const finished = new Set(run.results.keys());
      const { title, enter, leave } = options;
      const failure = await failureIn(key, async () => {
        await step(key, { title, do: enter, undo: leave, dangerous: true });
        await body();
      });
      if (failure === undefined) {
        if (options.outlived === true && run.committed) run.results.set(leftKey, undefined);
        else await leaveState(key, options);
        continue;
      }
      for (const entry of await undoAll(run, run.saga.takeDownTo(depth))) run.saga.remember(entry);
      const firstOfBody = [...run.results.keys()].find((candidate) => !finished.has(candidate));
      if (firstOfBody !== undefined) forgetFrom(run, firstOfBody);
      if (bodies > 0) throw failure;
      await settling.settle(failure, failedOptions.get(failure.key) as StepOptions<unknown>);
    }
  }

  /** The failure of a body that may be left; whatever else it throws goes on. */
  async function failureIn(key: string, body: () => Promise<void>): Promise<StepFailed | undefined> {
    bodies += 1;
    try {
      await body();
      return undefined;
    } catch (thrown) {
      run.entered.delete(key);
      if (thrown instanceof StepFailed && !run.committed) return thrown;
      throw thrown;
    } finally {
      bodies -= 1;
    }
  }

  async function leaveState(key: string, { leave, leaveTitle }: DuringOptions): Promise<void> {
    await step(`${key}-left`, { title: leaveTitle, do: leave, closes: key });
    run.saga.drop(key);
    run.entered.delete(key);
    run.apply({ type: 'healed', step: key });
  }

  return { step, check: step, during };
}

function endStep(run: Run, key: string, end: { state: StepState; error?: StepError }): void {
  run.apply({ type: 'step_ended', key, time: new Date().toISOString(), ...end });
}

async function attempt<Result>(
  run: Run,
  key: string,
  options: StepOptions<Result> & OwnOptions,
): Promise<Result> {
  if (run.cancelRequested()) throw new CancelledFailure('cancelled');
  const ref = referTo(run, key, options);
  const time = new Date().toISOString();
  run.apply({ type: 'step_started', key, title: options.title, attempt: ref.try, time });
  const timing = {
    ...actTiming(options.within ?? SHORT),
    activityId: `${key}/${ref.try}`,
    // hours of builds and migrations must not take the places of short acts and records
    ...(options.within === undefined ? {} : { taskQueue: waitsQueue(workflowInfo().taskQueue) }),
  };
  const act = () => callAct(options.do, ref, timing);
  const result = await (run.committed ? CancellationScope.nonCancellable(act) : act());
  endStep(run, key, { state: 'done' });
  // what an earlier failure had left of it is part of what is there now
  if (run.view().leftovers.some(({ step }) => step === key)) run.apply({ type: 'healed', step: key });
  // an act that ended well in spite of the cancel is undone like any other
  if (run.cancelRequested()) throw new CancelledFailure('cancelled');
  return result;
}

function referTo(
  run: Run,
  key: string,
  { title, undo, closes, dangerous }: StepOptions<unknown> & OwnOptions,
): StepRef {
  const call = { step: key, title, phase: 'do' as const, ...(closes === undefined ? {} : { closes }) };
  const ref = run.refer({ ...call, undo: undo && { id: '', title, ...undo } });
  if (ref.undo === undefined) return ref;
  const entry = { ...ref.undo, step: key, ...(dangerous === undefined ? {} : { dangerous }) };
  const { id, activity, input } = run.saga.register(entry);
  return { ...ref, undo: { id, title, activity, input } };
}
