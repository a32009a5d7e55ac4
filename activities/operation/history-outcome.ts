import { activityName } from '../../workflows/contract/operation/activity-names.js';
import type { OperationRecord } from '../../workflows/contract/operation/records.js';
import type { StepError, StepState } from '../../workflows/contract/operation/operation.js';
import { isFailureKind } from '../../workflows/contract/operation/failures.js';
import type { StepRef } from '../../workflows/contract/operation/step.js';
import {
  type CloseStatus,
  closeOf,
  decode,
  failureOf,
  type HistoryEvent,
  idOf,
  timeOf,
} from '../../workflows/contract/operation/timeline.js';

export interface StepOutcome {
  state: StepState;
  error: StepError | null;
  endedAt: Date;
}

/** What a run's history says about the rows of its operation. */
export interface Outcome {
  /** the newest record that the workflow wanted written, whether it was or not */
  record: OperationRecord | null;
  steps: Map<string, StepOutcome>;
  /** by id in the ledger */
  undos: Map<string, 'undone' | 'failed'>;
  close: { status: CloseStatus; cause: string; error: StepError | null; time: Date } | null;
}

/** Folds the events of one run, in order. Pure. */
export function createOutcome(): { add(events: readonly HistoryEvent[]): void; outcome: Outcome } {
  const outcome: Outcome = { record: null, steps: new Map(), undos: new Map(), close: null };
  const calls = new Map<number, StepRef>();
  return {
    outcome,
    add(events) {
      for (const event of events) addEvent(event, outcome, calls);
    },
  };
}

function addEvent(event: HistoryEvent, outcome: Outcome, calls: Map<number, StepRef>): void {
  const endedAt = new Date(timeOf(event));
  const scheduled = event.activityTaskScheduledEventAttributes;
  if (scheduled) return addCall(event, outcome, calls);
  const { activityTaskFailedEventAttributes: failed, activityTaskTimedOutEventAttributes: late } = event;
  const { activityTaskCompletedEventAttributes: done, activityTaskCanceledEventAttributes: cancelled } =
    event;
  const end = done ?? failed ?? late ?? cancelled;
  const call = end ? calls.get(idOf(end.scheduledEventId)) : undefined;
  if (call !== undefined) {
    const undo = call.phase === 'undo';
    if (undo && call.undo !== undefined) outcome.undos.set(call.undo.id, done ? 'undone' : 'failed');
    const state: StepState = done ? (undo ? 'undone' : 'done') : undo ? 'undo_failed' : 'failed';
    const error = failed || late ? stepErrorOf((failed ?? late)?.failure) : null;
    outcome.steps.set(call.step, { state, error, endedAt });
  }
  const close = closeOf(event);
  if (close === undefined) return;
  const failure = event.workflowExecutionFailedEventAttributes?.failure;
  outcome.close = { ...close, error: failure ? stepErrorOf(failure) : null, time: endedAt };
}

function addCall(event: HistoryEvent, outcome: Outcome, calls: Map<number, StepRef>): void {
  const { activityType, input } = event.activityTaskScheduledEventAttributes ?? {};
  if (activityType?.name === activityName('operation', 'recordOperation')) {
    const record = decode(input?.payloads?.[0]) as OperationRecord;
    outcome.record = record;
    const endedAt = new Date(timeOf(event));
    for (const { key, state } of record.steps) {
      outcome.steps.set(key, { state, error: outcome.steps.get(key)?.error ?? null, endedAt });
    }
    return;
  }
  const ref = decode(input?.payloads?.[1]) as StepRef | undefined;
  if (typeof ref?.seq !== 'number' || typeof ref.step !== 'string') return;
  calls.set(idOf(event.eventId), ref);
  // done again: what was undone before is open again
  if (ref.phase === 'do' && ref.undo !== undefined) outcome.undos.delete(ref.undo.id);
}

function stepErrorOf(failure: Parameters<typeof failureOf>[0]): StepError {
  const { kind, message } = failureOf(failure);
  return { kind: isFailureKind(kind) ? kind : 'Unexpected', message };
}
