import type { FailureKind } from './failures.js';

/** Ends of an operation, with their Temporal status: `docs/contract/operations.md`, States. */
export const END_STATES = [
  'succeeded',
  'succeeded_with_warnings',
  'rolled_back',
  'rollback_incomplete',
  'cancelled',
  'terminated',
] as const;
export const LIVE_STATES = ['starting', 'running', 'holding', 'rolling_back'] as const;

export type EndState = (typeof END_STATES)[number];
export type OperationState = EndState | (typeof LIVE_STATES)[number];

export function isEnd(state: OperationState): state is EndState {
  return (END_STATES as readonly string[]).includes(state);
}

export const STEP_STATES = [
  'pending',
  'running',
  'retrying',
  'holding',
  'done',
  'skipped',
  'failed',
  'undone',
  'undo_failed',
] as const;
export type StepState = (typeof STEP_STATES)[number];

export interface StepError {
  kind: FailureKind;
  message: string;
  hint?: string;
}

export interface StepView {
  key: string;
  title: string;
  state: StepState;
  attempt: number;
  startedAt: string | null;
  endedAt: string | null;
  summary?: string;
  error?: StepError;
}

export type HoldAction = 'retry' | 'skip' | 'rollback';

export interface Hold {
  /** counts the holds of this operation; a decision names the hold that it is for */
  number: number;
  step: string;
  /** ISO time, or null where the operation can only go forward and has no window */
  until: string | null;
  actions: HoldAction[];
  /** fields that `retry` may change */
  editable?: string[];
  error: StepError;
}

export interface Decision {
  action: HoldAction | 'cancel';
  time: string;
  actor: string;
  note?: string;
  /** false with the reason in `ignored`: recorded, without effect */
  accepted: boolean;
  ignored?: string;
  id?: string;
  hold?: number;
}

export interface Warning {
  step: string;
  message: string;
}

export interface Leftover {
  step: string;
  what: string;
  /** what would remove it */
  remedy: string;
  error: string;
}

/** What the workflow's `view` query answers; the API adds `links` and what only the database knows. */
export interface OperationView {
  id: string;
  kind: string;
  subject: string;
  state: OperationState;
  title: string;
  actor: string;
  requestId: string | null;
  startedAt: string;
  endedAt: string | null;
  steps: StepView[];
  hold: Hold | null;
  warnings: Warning[];
  leftovers: Leftover[];
  decisions: Decision[];
  result: unknown;
  /** what it waits for before it goes on: a busy subject, a server that others use */
  waitingFor?: string;
}

/** Workflow argument of every operation. `operation` may be absent when it was started by hand. */
export interface OperationInput<Params> {
  operation?: OperationRequest;
  params: Params;
  /** only tells what it would do, under the workflow id `plan:<ulid>`; see `contract/plan.ts` */
  plan?: boolean;
}

/** Who started this operation as part of another one, and hears of its holds and its end by the signal `child`. */
export interface ParentOperation {
  workflowId: string;
  operation: string;
}

export interface OperationRequest {
  id: string;
  actor: string;
  requestId: string | null;
  /** one line for people, where the API knows more than the parameters say */
  title?: string;
  /** milliseconds; 0 = never hold. Absent: what the worker is configured for */
  holdWindowMs?: number;
  onFailure?: 'hold' | 'rollback';
  parent?: ParentOperation;
  /** the operation that all of this belongs to; absent: itself. Admissions are held in its name */
  root?: string;
}

/** Bounds that come from the worker's configuration, recorded in history by the first activity. */
export interface OperationLimits {
  holdWindowMs: number;
  /** a window noticed later than this ran out while no worker was up, and is given again */
  lateMs: number;
  undoAttempts: number;
  /** how often a forward-only operation tries again by itself while it holds */
  forwardRetryMs: number;
  /** how long a server is waited for that others use */
  gateWaitMs: number;
  /** how long a borrowed subject is waited for */
  busyWaitMs: number;
  /** a child of a fan-out that has said nothing for as long is asked about */
  silenceMs: number;
}

export const TASK_QUEUE = 'slipway';
