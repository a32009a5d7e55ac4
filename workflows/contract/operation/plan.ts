/** Kind of a plan's workflow, in memo and search attributes; its id is `plan:<ulid>`. */
export const PLAN_KIND = 'plan';

export const PLANNED_KINDS = ['check', 'step', 'enter', 'leave', 'commit', 'child', 'borrow'] as const;
export type PlannedKind = (typeof PLANNED_KINDS)[number];

/** One thing that the operation would do, in the order in which it would do it. */
export interface PlannedStep {
  /** as in the operation's own steps; `commit` is none of them */
  key: string;
  title: string;
  /** `check` has run already; `enter` and `leave` stand around what is done in a dangerous state; `commit` ends undoing */
  kind: PlannedKind;
  /** what it acts on */
  target: string;
  /** what a check has found, where that decides what comes next */
  found?: string;
  /** the activity that takes it back; absent where nothing has to be, or where the operation only goes forward */
  undo?: string;
  /** a person may go on without it */
  skippable?: true;
  /** a failure of it becomes a warning */
  onFail?: 'warn' | 'rollback';
}

/** What the workflow of a plan answers. */
export interface OperationPlan {
  steps: PlannedStep[];
}

/** Details of the failure that a plan ends with when one of its checks fails. */
export interface FailedCheck {
  step: string;
  hint: string | null;
}

export function planId(id: string): string {
  return `plan:${id}`;
}

/** The ULID of a plan's workflow id; undefined for any other id. */
export function idOfPlan(workflowId: string): string | undefined {
  return workflowId.startsWith('plan:') ? workflowId.slice('plan:'.length) : undefined;
}
