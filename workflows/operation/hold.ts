import { condition, defineSignal, setHandler } from '@temporalio/workflow';
import type { Decision, Hold, HoldAction, OperationLimits } from '../contract/operation/operation.js';
import { DECISION_SIGNALS, type DecisionPayload, readDecision } from '../contract/operation/signals.js';
import { type Moment, reasonToIgnore } from './decisions.js';

/** A window given again is short: the operator knows by now that the system is back. */
const SECOND_WINDOW_MS = 600_000;

/** Waits of a forward-only hold become this many times as long: 4 hours, six tries a day. */
const LONGEST_FORWARD_WAIT = 16;

export interface TakenDecision extends DecisionPayload {
  action: HoldAction;
}

export interface Decisions {
  /** From here on one decision is accepted; before and after that none is. */
  open(): void;
  close(): void;
  /** Waits for an accepted decision; undefined when `waitMs` have passed, or `orWhen` came true, without one. */
  next(waitMs: number, orWhen?: () => boolean): Promise<TakenDecision | undefined>;
}

/** Registers the decision signals; what does not fit the moment is handed to `record` as ignored. */
export function listenForDecisions(
  moment: () => Omit<Moment, 'seen'>,
  record: (decision: Decision) => void,
  seen: Set<string>,
): Decisions {
  let taken: TakenDecision | undefined;
  /** only while an operation waits: whatever comes between two waits is for neither */
  let open = false;

  function receive(action: HoldAction, raw: unknown): void {
    const payload = readDecision(raw);
    const time = new Date().toISOString();
    if ('malformed' in payload) {
      record({ action, time, actor: 'unknown', accepted: false, ignored: payload.malformed });
      return;
    }
    const ignored =
      reasonToIgnore(action, payload, { ...moment(), seen }) ??
      (open ? undefined : 'another decision came first');
    if (payload.id !== undefined) seen.add(payload.id);
    if (ignored === undefined) {
      taken = { action, ...payload };
      open = false;
      // changed input has to be checked first; then it is recorded with the verdict
      if (hasInput(taken)) return;
    }
    record({
      action,
      time,
      actor: payload.actor ?? 'unknown',
      accepted: ignored === undefined,
      ...(payload.note === undefined ? {} : { note: payload.note }),
      ...(payload.id === undefined ? {} : { id: payload.id }),
      ...(payload.hold === undefined ? {} : { hold: payload.hold }),
      ...(ignored === undefined ? {} : { ignored }),
    });
  }

  for (const action of DECISION_SIGNALS) {
    setHandler(defineSignal<[unknown]>(action), (payload) => receive(action, payload), {
      description: `Decide on a held step: ${action}`,
    });
  }

  return {
    open() {
      open = true;
    },
    close() {
      open = false;
    },
    async next(waitMs, orWhen = () => false) {
      await condition(() => taken !== undefined || orWhen(), Math.max(waitMs, 1));
      const decision = taken;
      taken = undefined;
      return decision;
    },
  };
}

export function hasInput({ input }: DecisionPayload): boolean {
  return input !== undefined && Object.keys(input).length > 0;
}

export interface Window {
  until: number;
  given: boolean;
}

export function openWindow(windowMs: number): Window {
  return { until: Date.now() + windowMs, given: false };
}

/** The window to wait on after one ran out, or undefined when it really is over. */
export function renewWindow(
  window: Window,
  { holdWindowMs, lateMs }: Pick<OperationLimits, 'holdWindowMs' | 'lateMs'>,
): Window | undefined {
  const late = Date.now() - window.until > lateMs;
  if (!late || window.given) return undefined;
  return { until: Date.now() + Math.min(holdWindowMs, SECOND_WINDOW_MS), given: true };
}

/** How long a forward-only operation waits before it tries by itself: twice as long each time, then for hours. */
export function forwardRetryWait(firstMs: number, tries: number): number {
  return firstMs * Math.min(2 ** (tries - 1), LONGEST_FORWARD_WAIT);
}

export function holdActions({
  skippable,
  committed,
}: {
  skippable: boolean;
  committed: boolean;
}): Hold['actions'] {
  return ['retry', ...(skippable ? (['skip'] as const) : []), ...(committed ? [] : (['rollback'] as const))];
}
