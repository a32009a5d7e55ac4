import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  isCancellation,
  TimeoutFailure,
} from '@temporalio/workflow';
import { type FailureKind, hintOf, isFailureKind } from '../contract/operation/failures.js';
import type { StepError } from '../contract/operation/operation.js';

/** A step that no automatic retry could mend. Internal: it never leaves the step runner. */
export class StepFailed extends Error {
  readonly key: string;
  readonly error: StepError;

  constructor(key: string, error: StepError) {
    super(error.message);
    this.name = 'StepFailed';
    this.key = key;
    this.error = error;
  }
}

/** An operator changed the input: the story is told again, finished steps before the change answer from memory. */
export class ToldAgain extends Error {}

/** What a failed call says to views and reactions. Cancellation and bugs of workflow code are thrown on. */
export function stepErrorOf(thrown: unknown): StepError {
  if (isCancellation(thrown)) throw thrown;
  if (!(thrown instanceof ActivityFailure || thrown instanceof ChildWorkflowFailure)) throw thrown;
  const cause = thrown.cause;
  if (cause instanceof TimeoutFailure) {
    return { kind: 'Unavailable', message: `no answer in time (${cause.timeoutType ?? 'timeout'})` };
  }
  const kind: FailureKind =
    cause instanceof ApplicationFailure && isFailureKind(cause.type) ? cause.type : 'Unexpected';
  const hint = hintOf(cause);
  return { kind, message: cause?.message ?? thrown.message, ...(hint === undefined ? {} : { hint }) };
}
