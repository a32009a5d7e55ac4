import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  isCancellation,
  log,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { activitiesOf } from './acts.js';
import type { AdmissionNeed } from '../contract/operation/admission.js';
import { capText, failure, isFailureKind } from '../contract/operation/failures.js';
import type { EndState, OperationInput, StepError } from '../contract/operation/operation.js';
import { admissionOf } from '../contract/operation/definition.js';
import type { PlaceRecords } from '../contract/operation/places.js';
import type { OperationRecords } from '../contract/operation/records.js';
import { searchAttribute } from '../contract/operation/search-attributes.js';
import { createLoans } from './borrow.js';
import { carriedOf } from './carried.js';
import { createFanOut } from './fan-out/fan-out.js';
import { tellParent } from './parent.js';
import { planOperation } from './plan.js';
import { checkRequest } from './request.js';
import { createRun, type Run } from './run.js';
import { warn } from './settle.js';
import { StepFailed, stepErrorOf, ToldAgain } from './step-failure.js';
import { createSteps } from './steps.js';
import { CLAIM_TIMING, TIDY_TIMING } from './timing.js';
import type { Operation, Story } from './story.js';
import type { Definition } from '../contract/operation/definition.js';
import { undoAll, undoLeft } from './undo.js';

/**
 * Runs one operation: claims it, tells its story step by step, holds, rolls back, records its end.
 * The contract is `docs/contract/operations.md`. `story` must be deterministic in its parameters and step results,
 * because it is told again from its beginning when an operator changes input.
 */
export async function runOperation<Params, Result>(
  definition: Definition<Params>,
  input: OperationInput<Params>,
  story: Story<Params, Result>,
): Promise<Result> {
  const params = checkedParams(definition, input);
  if (input.plan === true) return (await planOperation(definition, input, story)) as Result;
  const admission = admissionOf(definition, params);
  const places = definition.places?.(params) ?? [];
  const borrowed = definition.borrows?.(params) ?? [];
  const run = createRun({
    ...{ kind: definition.kind, title: definition.title(params) },
    ...{ input, admission, borrows: borrowed.length > 0 },
  });
  const loans = createLoans(run, borrowed);
  if (carriedOf(input) === undefined) {
    announceStart(run, definition.attributes?.(params) ?? {});
    // nothing is waited for while an admission is held: subjects come first
    await claim(run, { places, admission: loans.subjects.length === 0 ? admission : undefined });
  }
  const tidy = async () => {
    if (run.admission.touchedNothing()) return loans.release();
    if (definition.leavesJobs === true) await tidyUp(places, run.request.id);
    await loans.release();
  };
  try {
    await loans.take();
    await run.admission.take();
    const result = await runStory(run, story);
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

/** Of 255 that a keyword of Temporal holds: room for what is put before it, `plan:` among others. */
const SUBJECT_LIMIT = 200;

export function checkedParams<Params>(definition: Definition<Params>, input: OperationInput<Params>): Params {
  const params = input?.params;
  if (typeof params !== 'object' || params === null) {
    throw failure('InvalidInput', `${definition.kind} needs { "params": { … } }`);
  }
  if (input.operation !== undefined) checkRequest(input.operation);
  definition.validate(params);
  const wanted = definition.subject(params);
  if (wanted.length > SUBJECT_LIMIT)
    throw failure('InvalidInput', `a subject has at most ${SUBJECT_LIMIT} characters`);
  const workflowId = workflowInfo().workflowId;
  if (workflowId !== wanted && input.plan !== true) {
    throw failure('InvalidInput', `these parameters belong to workflow id "${wanted}", not "${workflowId}"`);
  }
  return params;
}

export function announceStart({ kind, request }: Run, attributes: Record<string, string>): void {
  upsertSearchAttributes([
    searchAttribute('OpId', request.id),
    searchAttribute('OpKind', kind),
    searchAttribute('OpState', 'running'),
    searchAttribute('Actor', request.actor),
    ...Object.entries(attributes).map(([name, value]) => searchAttribute(name, value)),
  ]);
}

/** Binds the operation to its row; from here on everything it does is recorded. */
export async function claim(
  run: Run,
  { places, admission }: { places: string[]; admission?: AdmissionNeed | undefined } = { places: [] },
): Promise<void> {
  const { claimOperation } = activitiesOf<OperationRecords>('operation', CLAIM_TIMING);
  const { request, subject, params, kind } = run;
  const { title } = run.view();
  const runId = workflowInfo().firstExecutionRunId;
  const claimed = await CancellationScope.nonCancellable(() =>
    claimOperation({ request, kind, subject, title, runId, params, places, ...(admission && { admission }) }),
  ).catch((thrown: unknown) => {
    const { kind: type, message } = stepErrorOf(thrown);
    throw ApplicationFailure.nonRetryable(message, type);
  });
  if ('refused' in claimed) {
    await tellParent(run, { state: 'rolled_back', reason: claimed.refused });
    throw failure('Conflict', `${title}: ${claimed.refused}`);
  }
  run.limits = claimed.limits;
  run.admission.claimed(claimed.admission);
  if (request.holdWindowMs !== undefined) run.limits = { ...run.limits, holdWindowMs: request.holdWindowMs };
}

async function runStory<Params, Result>(run: Run, story: Story<Params, Result>): Promise<Result> {
  const steps = createSteps(run);
  const fanOut = createFanOut(run, steps);
  const operation: Operation<Params> = {
    id: run.request.id,
    get params() {
      return run.params as Params;
    },
    step: steps.step,
    check: steps.check,
    during: steps.during,
    fanOut,
    warn: (key, message) => warnOnce(run, key, message),
    undoLeft: (undos) => undoLeft(run, undos),
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

/** A story that is told again says the same again. */
function warnOnce(run: Run, step: string, message: string): void {
  const known = run.view().warnings.some((warning) => warning.step === step && warning.message === message);
  if (!known) warn(run, step, message);
}

function commit(run: Run): void {
  // a story that is told again says it again
  if (run.committed) return;
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
  await run.admission.takeForUndo();
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

async function tidyUp(places: string[], operation: string): Promise<void> {
  const { tidyPlaces } = activitiesOf<PlaceRecords>('operation', TIDY_TIMING);
  await CancellationScope.nonCancellable(() => tidyPlaces({ places, operation })).catch((thrown: unknown) => {
    if (!(thrown instanceof ActivityFailure)) throw thrown;
    log.warn('job directories were not removed; the sweep does it');
  });
}

export async function end(run: Run, state: EndState, result: unknown): Promise<void> {
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
  await tellParent(run, { state, ...(good || run.error === null ? {} : { reason: run.error.message }) });
}
