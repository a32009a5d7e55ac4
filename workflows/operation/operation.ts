import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  isCancellation,
  log,
  proxyActivities,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { capText, failure, isFailureKind } from '../contract/failures.js';
import type { EndState, OperationInput, StepError } from '../contract/operation.js';
import type { OperationRecords } from '../contract/records.js';
import { type SearchAttributeName, searchAttribute } from '../contract/search-attributes.js';
import type { Act } from '../contract/step.js';
import { checkRequest } from './request.js';
import { createRun, type Run } from './run.js';
import { StepFailed, stepErrorOf, ToldAgain } from './step-failure.js';
import { createSteps, type DuringOptions, type StepOptions } from './steps.js';
import { CLAIM_TIMING, TIDY_TIMING } from './timing.js';
import { undoAll } from './undo.js';

export interface Definition<Params> {
  kind: string;
  /** the workflow id that these parameters demand */
  subject(params: Params): string;
  title(params: Params): string;
  attributes?(params: Params): Partial<Record<SearchAttributeName, string>>;
  /** what is tidied up on hosts before the end, however it ends; its failure changes nothing */
  tidy?(params: Params, operation: string): Act;
  /** throws `InvalidInput` for parameters that no operation of this kind can have */
  validate(params: Params): void;
}

export interface Operation<Params> {
  readonly id: string;
  readonly params: Params;
  /** One named act with its undo. Answers the act's result; undefined where it was skipped or became a warning. */
  step<Result>(key: string, options: StepOptions<Result>): Promise<Result>;
  /** A dangerous state: entered, left on success and on failure; a failing body is left before anybody is asked. */
  during(key: string, options: DuringOptions, body: () => Promise<void>): Promise<void>;
  /** The point of no return: nothing before it is undone, everything after it only goes forward. */
  commit(): void;
}

export type Story<Params, Result> = (op: Operation<Params>) => Promise<Result>;

/**
 * Runs one operation: claims it, tells its story step by step, holds, rolls back, records its end.
 * The contract is `spec/operations.md`. `story` must be deterministic in its parameters and step results, because it
 * is told again from its beginning when an operator changes input.
 */
export async function runOperation<Params, Result>(
  definition: Definition<Params>,
  input: OperationInput<Params>,
  story: Story<Params, Result>,
): Promise<Result> {
  const params = checkedParams(definition, input);
  const run = createRun({ kind: definition.kind, title: definition.title(params), input });
  announceStart(run, definition.attributes?.(params) ?? {});
  await claim(run);
  const tidy = () => tidyUp(definition.tidy?.(run.params as Params, run.request.id));
  try {
    const result = await tell(run, story);
    await tidy();
    await end(run, run.view().warnings.length > 0 ? 'succeeded_with_warnings' : 'succeeded', result);
    return result;
  } catch (thrown) {
    if (thrown instanceof StepFailed || thrown instanceof ApplicationFailure || isCancellation(thrown)) {
      throw await rollBack(run, thrown as Error, tidy);
    }
    throw thrown;
  }
}

function checkedParams<Params>(definition: Definition<Params>, input: OperationInput<Params>): Params {
  const params = input?.params;
  if (typeof params !== 'object' || params === null) {
    throw failure('InvalidInput', `${definition.kind} needs { "params": { … } }`);
  }
  if (input.operation !== undefined) checkRequest(input.operation);
  definition.validate(params);
  const wanted = definition.subject(params);
  const workflowId = workflowInfo().workflowId;
  if (workflowId !== wanted) {
    throw failure('InvalidInput', `these parameters belong to workflow id "${wanted}", not "${workflowId}"`);
  }
  return params;
}

function announceStart(
  { kind, request }: Run,
  attributes: Partial<Record<SearchAttributeName, string>>,
): void {
  upsertSearchAttributes([
    searchAttribute('OpId', request.id),
    searchAttribute('OpKind', kind),
    searchAttribute('OpState', 'running'),
    searchAttribute('Actor', request.actor),
    ...Object.entries(attributes).map(([name, value]) => searchAttribute(name as SearchAttributeName, value)),
  ]);
}

/** Binds the operation to its row; from here on everything it does is recorded. */
async function claim(run: Run): Promise<void> {
  const { claimOperation } = proxyActivities<OperationRecords>(CLAIM_TIMING);
  const { request, subject, params, kind } = run;
  const { title } = run.view();
  const runId = workflowInfo().firstExecutionRunId;
  const claimed = await CancellationScope.nonCancellable(() =>
    claimOperation({ request, kind, subject, title, runId, params }),
  ).catch((thrown: unknown) => {
    const { kind: type, message } = stepErrorOf(thrown);
    throw ApplicationFailure.nonRetryable(message, type);
  });
  if ('refused' in claimed) throw failure('Conflict', `${title}: ${claimed.refused}`);
  run.limits = claimed.limits;
  if (request.holdWindowMs !== undefined) run.limits = { ...run.limits, holdWindowMs: request.holdWindowMs };
}

async function tell<Params, Result>(run: Run, story: Story<Params, Result>): Promise<Result> {
  const steps = createSteps(run);
  const operation: Operation<Params> = {
    id: run.request.id,
    get params() {
      return run.params as Params;
    },
    step: steps.step,
    during: steps.during,
    commit: () => commit(run),
  };
  for (;;) {
    try {
      return await story(operation);
    } catch (thrown) {
      if (!(thrown instanceof ToldAgain)) throw thrown;
    }
  }
}

function commit(run: Run): void {
  if (run.cancelRequested()) throw new CancelledFailure('cancelled before the point of no return');
  run.committed = true;
  run.saga.keepAll();
}

/** Undoes everything and answers what the workflow ends with. */
async function rollBack(run: Run, thrown: Error, tidy: () => Promise<void>): Promise<Error> {
  if (thrown instanceof StepFailed) {
    run.error = thrown.error;
    run.failedStep = thrown.key;
  } else if (thrown instanceof ApplicationFailure) run.error = refusalOf(thrown);
  run.apply({ type: 'rolling_back' });
  upsertSearchAttributes([searchAttribute('OpState', 'rolling_back')]);
  run.recorder.line({ type: 'rolling_back', step: null, message: 'Rolling back', level: 'warning' });
  await run.recorder.flush();
  await undoAll(run, run.saga.takeDownTo(0));
  await tidy();
  const { leftovers } = run.view();
  const cancelled = isCancellation(thrown);
  const state = leftovers.length > 0 ? 'rollback_incomplete' : cancelled ? 'cancelled' : 'rolled_back';
  await end(run, state, null);
  if (state === 'cancelled') return thrown;
  return ApplicationFailure.create({
    message: run.error?.message ?? 'cancelled, but not everything could be undone',
    type: run.error?.kind ?? 'Cancelled',
    nonRetryable: true,
    details: [{ state, leftovers }],
  });
}

/** The story itself refused to go on, after its steps had gone well. */
function refusalOf({ type, message }: ApplicationFailure): StepError {
  return { kind: isFailureKind(type) ? type : 'Unexpected', message: capText(message) };
}

async function tidyUp(act: Act | undefined): Promise<void> {
  if (act === undefined) return;
  const activities = proxyActivities<Record<string, (input: unknown) => Promise<unknown>>>(TIDY_TIMING);
  await CancellationScope.nonCancellable(async () => activities[act.activity]?.(act.input)).catch(
    (thrown: unknown) => {
      if (!(thrown instanceof ActivityFailure)) throw thrown;
      log.warn('job directories were not removed; the sweep does it');
    },
  );
}

async function end(run: Run, state: EndState, result: unknown): Promise<void> {
  run.apply({ type: 'ended', state, time: new Date().toISOString(), result });
  const good = state === 'succeeded' || state === 'succeeded_with_warnings';
  const cause = good || run.error === null ? '' : `: ${run.error.message}`;
  run.recorder.line({
    type: 'ended',
    step: null,
    message: `${run.view().title}: ${state.replaceAll('_', ' ')}${cause}`,
    level: good ? 'info' : 'error',
  });
  upsertSearchAttributes([searchAttribute('OpState', state)]);
  upsertMemo({ end: { state, leftovers: run.view().leftovers } });
  await run.recorder.flush();
  run.publish();
}
