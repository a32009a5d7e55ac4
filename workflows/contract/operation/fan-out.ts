import type { OperationState } from './operation.js';

/** A child tells its parent of holds, resumes and its end; sent to the workflow id, so that any run of the parent hears it. */
export const CHILD_SIGNAL = 'child';

export interface ChildReport {
  subject: string;
  operation: string;
  state: OperationState;
  /** the run of it that speaks: decisions and cancels are for that one */
  runId?: string;
  /** number of its hold, for a decision that is meant for exactly this one */
  hold?: number;
  reason?: string;
}

/** One operation of a fan-out, as the act that lists them answers it. */
export interface ChildToStart {
  /** its workflow id */
  subject: string;
  params: unknown;
  /** what shares one window, such as the server */
  group?: string;
  /** what people call it, behind its title */
  named?: string;
}

export interface FanOutRules {
  /** children that run at the same time in each group */
  window: number;
  /** the first ones must succeed before any other starts */
  canary: number;
  /** percent of all; beyond it (and at least two) nothing more is started */
  stopAfterFailures: number;
}

export interface ChildOutcome {
  subject: string;
  operation: string | null;
  state: 'failed' | 'not_started';
  reason?: string;
}

export interface FanOutResult {
  total: number;
  done: number;
  failed: number;
  notStarted: number;
  /** those that are not done, the first 200 */
  open: ChildOutcome[];
}

export interface SilentChild {
  subject: string;
  operation: string;
}

/** What a fan-out asks about children that it has not heard of for long. */
export interface FanOutRecords {
  /** answers only those of which something is known */
  lookAtChildren(input: { children: SilentChild[] }): Promise<ChildReport[]>;
}
