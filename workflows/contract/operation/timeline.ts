import { defaultPayloadConverter } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { capText } from './failures.js';
import { DECISION_SIGNALS } from './signals.js';
import type { StepRef } from './step.js';

export type HistoryEvent = temporal.api.history.v1.IHistoryEvent;
type Payload = temporal.api.common.v1.IPayload;
type Failure = temporal.api.failure.v1.IFailure;

/** Closed: whoever reads timelines may rely on there being no others. */
export const TIMELINE_TYPES = [
  'started',
  'step_started',
  'step_retried',
  'step_done',
  'step_failed',
  'undo_started',
  'undone',
  'undo_failed',
  'held',
  'hold_ended',
  'window_ended',
  'decided',
  'signalled',
  'cancel_requested',
  'rolling_back',
  'child_started',
  'child_not_started',
  'child_ended',
  'continued_as_new',
  'ended',
] as const;
export type TimelineType = (typeof TIMELINE_TYPES)[number];

/** One event of history that people care about. */
export interface TimelineItem {
  /** 1, 2, … over continue-as-new */
  run: number;
  /** id of the event in its run's history */
  event: number;
  /** ISO time */
  time: string;
  type: TimelineType;
  step: string | null;
  message: string;
  data: Record<string, string | number>;
}

/** What later events refer to: it travels in cursors, so that a page is read without the pages before it. */
export interface TimelineState {
  run: number;
  title: string;
  /** scheduled and not closed, by event id */
  calls: Record<string, Call>;
  /** the step that waits for a person */
  holding: string | null;
  /** the end as the workflow has announced it */
  end: string | null;
}

interface Call {
  step: string;
  title: string;
  undo: boolean;
}

export const BEFORE_HISTORY: TimelineState = { run: 1, title: '', calls: {}, holding: null, end: null };

/**
 * The timeline of a stretch of history: at most one item per event, and the state with which the next stretch is
 * read. Pure; the live page and the archive are both made by it.
 */
export function itemsOf(
  events: readonly HistoryEvent[],
  before: TimelineState,
): { items: TimelineItem[]; state: TimelineState } {
  const state: TimelineState = { ...before, calls: { ...before.calls } };
  const items: TimelineItem[] = [];
  for (const event of events) {
    const { run } = state;
    const described = describeEvent(event, state);
    if (described === undefined) continue;
    const { type, step = null, message, data = {} } = described;
    items.push({
      run,
      event: idOf(event.eventId),
      time: timeOf(event),
      type,
      step: step === null ? null : shortly(step),
      message: capText(message),
      data: Object.fromEntries(
        Object.entries(data).map(([key, value]) => [key, typeof value === 'string' ? shortly(value) : value]),
      ),
    });
  }
  return { items, state };
}

type Described = Pick<TimelineItem, 'type' | 'message'> & Partial<Pick<TimelineItem, 'step' | 'data'>>;

function describeEvent(event: HistoryEvent, state: TimelineState): Described | undefined {
  return (
    describeActivity(event, state) ??
    describeWorkflow(event, state) ??
    describeMessage(event, state) ??
    describeChild(event) ??
    describeEnd(event, state)
  );
}

function describeActivity(event: HistoryEvent, state: TimelineState): Described | undefined {
  const scheduled = event.activityTaskScheduledEventAttributes;
  if (scheduled) {
    const ref = decode(scheduled.input?.payloads?.[1]) as Partial<StepRef> | undefined;
    // bookkeeping is no step
    if (typeof ref?.step !== 'string' || typeof ref.seq !== 'number') return undefined;
    const undo = ref.phase === 'undo';
    const call: Call = {
      step: ref.step,
      title: shortly(ref.title ?? ref.step),
      undo,
    };
    state.calls[idOf(event.eventId)] = call;
    return {
      type: undo ? 'undo_started' : 'step_started',
      step: call.step,
      message: `${call.title} …`,
      data: { try: ref.try ?? 1 },
    };
  }
  const started = event.activityTaskStartedEventAttributes;
  if (started) {
    const call = state.calls[idOf(started.scheduledEventId)];
    const attempt = started.attempt ?? 1;
    if (call === undefined || attempt <= 1) return undefined;
    const { message, kind } = failureOf(started.lastFailure);
    return {
      type: 'step_retried',
      step: call.step,
      message: `${call.title}: attempt ${attempt} after: ${message}`,
      data: { attempt, kind },
    };
  }
  return describeActivityEnd(event, state);
}

function describeActivityEnd(event: HistoryEvent, state: TimelineState): Described | undefined {
  const { activityTaskCompletedEventAttributes: done, activityTaskFailedEventAttributes: failed } = event;
  const { activityTaskTimedOutEventAttributes: late, activityTaskCanceledEventAttributes: cancelled } = event;
  const end = done ?? failed ?? late ?? cancelled;
  if (!end) return undefined;
  const scheduled = idOf(end.scheduledEventId);
  const call = state.calls[scheduled];
  if (call === undefined) return undefined;
  delete state.calls[scheduled];
  const { step, title, undo } = call;
  if (done) return { type: undo ? 'undone' : 'step_done', step, message: `${title}: done` };
  const { message, kind } = cancelled
    ? { message: 'cancelled', kind: 'Cancelled' }
    : failureOf((failed ?? late)?.failure);
  return {
    type: undo ? 'undo_failed' : 'step_failed',
    step,
    message: `${title}: ${message}`,
    data: { kind },
  };
}

/** What the workflow says of itself: its start, its state, its end as announced. */
function describeWorkflow(event: HistoryEvent, state: TimelineState): Described | undefined {
  const started = event.workflowExecutionStartedEventAttributes;
  if (started) {
    if (state.run > 1) return undefined;
    state.title = titleOf(event);
    return { type: 'started', message: state.title };
  }
  const end = decode(event.workflowPropertiesModifiedEventAttributes?.upsertedMemo?.fields?.['end']);
  if (typeof end === 'object' && end !== null && 'state' in end) state.end = textOf(end.state);
  const attributes = event.upsertWorkflowSearchAttributesEventAttributes?.searchAttributes?.indexedFields;
  const now = attributes && decode(attributes['OpState']);
  if (now === 'rolling_back') {
    state.holding = null;
    return { type: 'rolling_back', message: 'Rolling back' };
  }
  if (now === 'holding') {
    const step = textOf(decode(attributes?.['FailedStep']));
    state.holding = step;
    return { type: 'held', step, message: 'Waiting for a person' };
  }
  if (now !== 'running' || state.holding === null) return undefined;
  const step = state.holding;
  state.holding = null;
  return { type: 'hold_ended', step, message: 'The wait has ended' };
}

/** What reached the workflow from outside. */
function describeMessage(event: HistoryEvent, state: TimelineState): Described | undefined {
  const signal = event.workflowExecutionSignaledEventAttributes;
  if (signal) {
    const name = signal.signalName ?? '';
    const step = state.holding;
    if (!(DECISION_SIGNALS as readonly string[]).includes(name)) {
      return { type: 'signalled', message: `Signal ${name}`, data: { signal: name } };
    }
    const payload = decode(signal.input?.payloads?.[0]) as { actor?: unknown; note?: unknown } | undefined;
    const actor = textOf(payload?.actor) ?? 'unknown';
    const note = textOf(payload?.note);
    return {
      type: 'decided',
      step,
      message: `${actor} sent ${name}${note === null ? '' : `: ${note}`}`,
      data: { action: name, actor },
    };
  }
  if (event.workflowExecutionCancelRequestedEventAttributes) {
    return { type: 'cancel_requested', step: state.holding, message: 'A cancel was requested' };
  }
  // other timers are the workflow's own pace
  if (!event.timerFiredEventAttributes || state.holding === null) return undefined;
  return { type: 'window_ended', step: state.holding, message: 'Nobody decided in time' };
}

function describeChild(event: HistoryEvent): Described | undefined {
  const refused = event.startChildWorkflowExecutionFailedEventAttributes;
  if (refused) return child('child_not_started', refused.workflowId, 'not started');
  const started = event.childWorkflowExecutionStartedEventAttributes;
  if (started) return child('child_started', started.workflowExecution?.workflowId, 'started');
  const ends = {
    completed: event.childWorkflowExecutionCompletedEventAttributes,
    failed: event.childWorkflowExecutionFailedEventAttributes,
    canceled: event.childWorkflowExecutionCanceledEventAttributes,
    terminated: event.childWorkflowExecutionTerminatedEventAttributes,
    'timed out': event.childWorkflowExecutionTimedOutEventAttributes,
  };
  for (const [outcome, attributes] of Object.entries(ends)) {
    if (attributes) return child('child_ended', attributes.workflowExecution?.workflowId, outcome);
  }
  return undefined;
}

function child(type: TimelineType, subject: string | null | undefined, outcome: string): Described {
  return { type, message: `${subject ?? ''}: ${outcome}`, data: { subject: subject ?? '', outcome } };
}

function describeEnd(event: HistoryEvent, state: TimelineState): Described | undefined {
  if (event.workflowExecutionContinuedAsNewEventAttributes) {
    state.run += 1;
    state.calls = {};
    return { type: 'continued_as_new', message: 'Goes on in a new run' };
  }
  const close = closeOf(event);
  if (close === undefined) return undefined;
  const { status, cause } = close;
  const end = state.end ?? (status === 'timed_out' ? 'terminated' : status);
  return {
    type: 'ended',
    message: `${state.title}: ${end.replaceAll('_', ' ')}${cause === '' ? '' : `: ${cause}`}`,
    data: { status, state: end },
  };
}

export type CloseStatus = 'completed' | 'failed' | 'canceled' | 'terminated' | 'timed_out';

/** How a run ended, if this is its last event. */
export function closeOf(event: HistoryEvent): { status: CloseStatus; cause: string } | undefined {
  const failed = event.workflowExecutionFailedEventAttributes;
  if (failed) return { status: 'failed', cause: failureOf(failed.failure).message };
  const terminated = event.workflowExecutionTerminatedEventAttributes;
  if (terminated) return { status: 'terminated', cause: terminated.reason ?? '' };
  if (event.workflowExecutionCompletedEventAttributes) return { status: 'completed', cause: '' };
  if (event.workflowExecutionCanceledEventAttributes) return { status: 'canceled', cause: '' };
  if (event.workflowExecutionTimedOutEventAttributes) return { status: 'timed_out', cause: '' };
  return undefined;
}

/** Kind and message of a recorded failure: of its cause, where the server or the SDK has wrapped it. */
export function failureOf(failure: Failure | null | undefined): { kind: string; message: string } {
  if (!failure) return { kind: 'Unexpected', message: 'failed' };
  if (failure.timeoutFailureInfo) return { kind: 'Unavailable', message: 'no answer in time' };
  if (!failure.applicationFailureInfo && failure.cause) return failureOf(failure.cause);
  return {
    kind: failure.applicationFailureInfo?.type || 'Unexpected',
    message: failure.message ?? '',
  };
}

function titleOf(event: HistoryEvent): string {
  const started = event.workflowExecutionStartedEventAttributes;
  const input = decode(started?.input?.payloads?.[0]) as { operation?: { title?: unknown } } | undefined;
  const title =
    textOf(decode(started?.memo?.fields?.['title'])) ??
    textOf(input?.operation?.title) ??
    textOf(decode(event.userMetadata?.summary)) ??
    started?.workflowType?.name;
  return shortly(title ?? '');
}

/** Names come from outside too, with signals: a NUL would keep the timeline out of the archive. */
function shortly(text: string): string {
  // the longest of ours, a title, is shorter
  return capText(text, 300);
}

/** What a payload carries; undefined for none, and for one that is not of ours. */
export function decode(payload: Payload | null | undefined): unknown {
  if (!payload) return undefined;
  try {
    return defaultPayloadConverter.fromPayload(payload);
  } catch {
    return undefined;
  }
}

/** Attributes come as lists of one. */
function textOf(value: unknown): string | null {
  const one: unknown = Array.isArray(value) ? value[0] : value;
  return typeof one === 'string' ? one : null;
}

export function idOf(value: HistoryEvent['eventId']): number {
  return Number(value ?? 0);
}

export function timeOf({ eventTime }: HistoryEvent): string {
  const seconds = Number(eventTime?.seconds ?? 0);
  return new Date(seconds * 1000 + Math.floor((eventTime?.nanos ?? 0) / 1e6)).toISOString();
}
