import type { Duration } from '@temporalio/common';
import { CancellationScope, CancelledFailure } from '@temporalio/workflow';
import type { Act, StepRef } from '../contract/step.js';
import { callAct } from './calls.js';
import type { Run } from './run.js';
import { createSettling, forgetFrom, warn } from './settle.js';
import { StepFailed, stepErrorOf } from './step-failure.js';
import { actTiming } from './timing.js';
import { undoAll } from './undo.js';

export interface StepOptions<Result> {
  title: string;
  do: Act<Result>;
  undo?: Act;
  /** `warn`: a failure becomes a warning and the operation goes on; otherwise the failure's kind decides */
  onFail?: 'warn';
  /** an operator may go on without it; its result is then undefined */
  skippable?: boolean;
  /** which parameters `retry` may change, and from which step on work is then done again (default: this step) */
  editable?: { fields: string[]; from?: string };
  /** how long one attempt may take; default 2 minutes, enough for everything that is not a build or a migration */
  within?: Duration;
}

export interface DuringOptions {
  title: string;
  enter: Act;
  leave: Act;
  leaveTitle: string;
}

export interface Steps {
  step<Result>(key: string, options: StepOptions<Result>): Promise<Result>;
  during(key: string, options: DuringOptions, body: () => Promise<void>): Promise<void>;
  /** the story is told again from its beginning */
  reset(): void;
}

export function createSteps(run: Run): Steps {
  const settling = createSettling(run);
  const failedOptions = new Map<string, StepOptions<unknown>>();
  let bodies = 0;

  async function step<Result>(key: string, options: StepOptions<Result>): Promise<Result> {
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
    const error = stepErrorOf(thrown);
    run.apply({ type: 'step_ended', key, state: 'failed', time: new Date().toISOString(), error });
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
    while (!run.results.has(leftKey)) {
      const depth = run.saga.depth();
      const finished = new Set(run.results.keys());
      try {
        bodies += 1;
        await step(key, { title: options.title, do: options.enter, undo: options.leave });
        await body();
        bodies -= 1;
        await step(leftKey, { title: options.leaveTitle, do: options.leave });
        run.saga.drop(key);
      } catch (thrown) {
        if (!(thrown instanceof StepFailed) || run.committed) throw thrown;
        bodies -= 1;
        await undoAll(run, run.saga.takeDownTo(depth));
        const firstOfBody = [...run.results.keys()].find((candidate) => !finished.has(candidate));
        if (firstOfBody !== undefined) forgetFrom(run, firstOfBody);
        if (bodies > 0) throw thrown;
        await settling.settle(thrown, failedOptions.get(thrown.key) as StepOptions<unknown>);
      }
    }
  }

  return {
    step,
    during,
    reset() {
      bodies = 0;
    },
  };
}

async function attempt<Result>(run: Run, key: string, options: StepOptions<Result>): Promise<Result> {
  const ref = referTo(run, key, options);
  const time = () => new Date().toISOString();
  run.apply({ type: 'step_started', key, title: options.title, attempt: ref.try, time: time() });
  const timing = { ...actTiming(options.within ?? '2 minutes'), activityId: `${key}/${ref.try}` };
  const act = () => callAct(options.do, ref, timing);
  const result = await (run.committed ? CancellationScope.nonCancellable(act) : act());
  run.apply({ type: 'step_ended', key, state: 'done', time: time() });
  // an act that ended well in spite of the cancel is undone like any other
  if (run.cancelRequested()) throw new CancelledFailure('cancelled');
  return result;
}

function referTo(run: Run, key: string, { title, undo }: StepOptions<unknown>): StepRef {
  const ref = run.refer({ step: key, title, phase: 'do', undo: undo && { id: '', title, ...undo } });
  if (ref.undo === undefined) return ref;
  const { step: _step, ...registered } = run.saga.register({ ...ref.undo, step: key });
  return { ...ref, undo: registered };
}
