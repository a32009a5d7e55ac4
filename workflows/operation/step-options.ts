import type { Duration } from '@temporalio/common';
import type { Act } from '../contract/operation/step.js';

export interface StepOptions<Result> {
  title: string;
  do: Act<Result>;
  undo?: Act;
  /**
   * `warn`: a failure becomes a warning and the operation goes on; `rollback`: before the commit it is never held,
   * whatever its kind, for the client would be down meanwhile; otherwise the failure's kind decides
   */
  onFail?: 'warn' | 'rollback';
  /** an operator may go on without it; its result is then undefined */
  skippable?: boolean;
  /** which parameters `retry` may change, and from which step on work is then done again (default: this step) */
  editable?: { fields: string[]; from?: string };
  /** how long one attempt may take, of an act that takes long; default 2 minutes */
  within?: Duration;
  /** what it acts on, for plans; default: the subject */
  target?: string;
}

/** What a plan gives to the story in place of the result: a value, or what a read-only act answers. */
export type Planned<Result> =
  | { planned: NoInfer<Result>; plannedBy?: never }
  | { plannedBy: Act<NoInfer<Result>>; planned?: never };

/** Only a step that says what a plan answers in its place has a result that can be used. */
export interface TakeStep {
  <Result>(key: string, options: StepOptions<Result> & Planned<Result>): Promise<Result>;
  (key: string, options: StepOptions<unknown>): Promise<void>;
}

/** An act that changes nothing, so that it has no undo and also runs in a plan. */
export type CheckOptions<Result> = Pick<StepOptions<Result>, 'title' | 'do' | 'target' | 'within'> & {
  /** for plans, where what it finds decides what comes next */
  found?: (result: Result) => string;
};

export interface DuringOptions {
  title: string;
  enter: Act;
  leave: Act;
  leaveTitle: string;
  /** the body ends past the point of no return, and what it has made stands in the place of the state: it is not left */
  outlived?: true;
}
