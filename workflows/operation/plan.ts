import {
  ActivityFailure,
  ApplicationFailure,
  type ActivityOptions,
  workflowInfo,
} from '@temporalio/workflow';
import type { LeftUndo } from '../contract/operation/cleanup.js';
import { titleOf } from '../contract/operation/definition.js';
import { failure } from '../contract/operation/failures.js';
import type { FanOutResult } from '../contract/operation/fan-out.js';
import { OPERATION_ID } from '../contract/operation/ids.js';
import type { OperationInput } from '../contract/operation/operation.js';
import {
  type FailedCheck,
  idOfPlan,
  type OperationPlan,
  type PlannedKind,
  type PlannedStep,
} from '../contract/operation/plan.js';
import type { Act, StepRef } from '../contract/operation/step.js';
import { callAct } from './calls.js';
import type { FanOutOptions } from './fan-out/state.js';
import type { Operation, Story } from './story.js';
import type { Definition } from '../contract/operation/definition.js';
import { stepErrorOf } from './step-failure.js';
import type { CheckOptions, DuringOptions, Planned, StepOptions, TakeStep } from './step-options.js';

/** Somebody waits for the answer, so nothing is tried again; three slow checks fit into the 30 s of a plan. */
const CHECK_TIMING: ActivityOptions = {
  startToCloseTimeout: '8 seconds',
  heartbeatTimeout: '8 seconds',
  retry: { maximumAttempts: 1 },
};

/** A fleet has thousands of clients; who reads a plan looks at the first ones, and the count. */
const CHILDREN_SHOWN = 200;

/**
 * Tells the story without doing it: checks run, everything else is listed. Nothing is claimed, recorded or changed.
 * The first check that fails is the plan's failure, of its kind, with the step in its details (`FailedCheck`).
 */
export async function planOperation<Params>(
  definition: Definition<Params>,
  { params }: OperationInput<Params>,
  story: Story<Params, unknown>,
): Promise<OperationPlan> {
  const id = idOfPlan(workflowInfo().workflowId) ?? '';
  if (!OPERATION_ID.test(id))
    throw failure('InvalidInput', 'a plan runs under the workflow id "plan:<ulid>"');
  const planning = createPlanning({ id, params, subject: definition.subject(params) });
  for (const target of definition.borrows?.(params) ?? []) {
    planning.steps.push({ key: `borrow-${target}`, title: `Borrow ${target}`, kind: 'borrow', target });
  }
  await story(planning.operation);
  return { steps: planning.steps };
}

interface Planning<Params> {
  operation: Operation<Params>;
  steps: PlannedStep[];
}

interface CreatePlanning<Params> {
  id: string;
  params: Params;
  subject: string;
}

/** What a member of `Operation` does in a plan is one `note` of what it would do. */
function createPlanning<Params>({ id, params, subject }: CreatePlanning<Params>): Planning<Params> {
  const steps: PlannedStep[] = [];
  let committed = false;
  let seq = 0;

  function note(step: Omit<PlannedStep, 'target' | 'undo'> & { target?: string; undo?: Act }): void {
    const { undo, target = subject, ...rest } = step;
    // past the point of no return nothing is undone
    steps.push({ ...rest, target, ...(undo === undefined || committed ? {} : { undo: undo.activity }) });
  }

  async function look<Result>(key: string, title: string, act: Act<Result>): Promise<Result> {
    seq += 1;
    const ref: StepRef = {
      operation: id,
      subject,
      step: key,
      title,
      phase: 'do',
      seq,
      try: 1,
      planning: true,
    };
    return callAct(act, ref, { ...CHECK_TIMING, activityId: key }).catch((thrown: unknown) => {
      throw thrown instanceof ActivityFailure ? checkFailure(key, thrown) : thrown;
    });
  }

  async function check<Result>(key: string, options: CheckOptions<Result>): Promise<Result> {
    const { title, found } = options;
    note({ key, kind: 'check', ...shown(options) });
    const noted = steps.at(-1);
    const result = await look(key, title, options.do);
    if (noted !== undefined && found !== undefined) noted.found = found(result);
    return result;
  }

  async function step(
    key: string,
    options: StepOptions<unknown> & Partial<Planned<unknown>>,
  ): Promise<unknown> {
    noteStep('step', key, options);
    return options.plannedBy === undefined ? options.planned : look(key, options.title, options.plannedBy);
  }

  function noteStep(kind: PlannedKind, key: string, options: StepOptions<unknown>): void {
    const { undo, skippable, onFail } = options;
    note({
      key,
      kind,
      ...shown(options),
      ...(undo === undefined ? {} : { undo }),
      ...(skippable === true ? { skippable } : {}),
      ...(onFail === undefined ? {} : { onFail }),
    });
  }

  async function during(key: string, options: DuringOptions, body: () => Promise<void>): Promise<void> {
    const { title, leave, leaveTitle, outlived } = options;
    note({ key, title, kind: 'enter', undo: leave });
    await body();
    if (outlived !== true) note({ key: `${key}-left`, title: leaveTitle, kind: 'leave' });
  }

  async function fanOut(key: string, { title, list, of }: FanOutOptions): Promise<FanOutResult> {
    note({ key, title, kind: 'check' });
    const children = await look(key, title, list);
    for (const { subject: target, params: its, named } of children.slice(0, CHILDREN_SHOWN)) {
      note({ key: `${key}/${target}`, title: titleOf(of, its as never, named), kind: 'child', target });
    }
    const more = children.length - CHILDREN_SHOWN;
    if (more > 0) note({ key: `${key}/…`, title: `${of.kind} of ${more} more`, kind: 'child' });
    return { total: children.length, done: children.length, failed: 0, notStarted: 0, open: [] };
  }

  async function undoLeft(undos: LeftUndo[]): Promise<void> {
    for (const { key, title, ...undo } of undos) note({ key, title: `Undo: ${title}`, kind: 'step', undo });
  }

  function commit(): void {
    if (!committed) note({ key: 'commit', title: 'Point of no return', kind: 'commit' });
    committed = true;
  }

  return {
    steps,
    operation: {
      id,
      params,
      check,
      step: step as TakeStep,
      during,
      fanOut,
      warn: () => undefined,
      undoLeft,
      commit,
    },
  };
}

function shown({ title, target }: { title: string; target?: string }): { title: string; target?: string } {
  return { title, ...(target === undefined ? {} : { target }) };
}

function checkFailure(step: string, thrown: ActivityFailure): ApplicationFailure {
  const { kind, message, hint = null } = stepErrorOf(thrown);
  const details: [FailedCheck] = [{ step, hint }];
  return ApplicationFailure.create({ type: kind, message, nonRetryable: true, details });
}
