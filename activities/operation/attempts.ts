import type { FailureKind } from '../../workflows/contract/operation/failures.js';

/** "anything else" of the failure table: a bug is tried three times within two minutes, then a person looks. */
const UNEXPECTED_ATTEMPTS = 3;
const UNEXPECTED_WITHIN_MS = 120_000;
/** Workers are replaced now and then during a migration of two hours; what kills every one of them dies far oftener. */
const LOST_ATTEMPTS = 5;

/** What the attempts of one call tell each other. */
export interface Attempts {
  /** those that failed by themselves; whatever else was begun was lost with its worker, or timed out */
  ended: number;
  /** bugs among them, and when the first one was met */
  unexpected: number;
  unexpectedSince: number | null;
}

/** Heartbeat details, which the server keeps from one attempt to the next. */
export interface Beat {
  attempts: Attempts;
  /** the act's own */
  details: unknown;
}

const NONE: Attempts = { ended: 0, unexpected: 0, unexpectedSince: null };

export function readBeat(said: unknown): Beat {
  const beat = said as Partial<Beat> | null | undefined;
  return { attempts: beat?.attempts ?? NONE, details: beat?.details };
}

export function afterFailure(before: Attempts, kind: FailureKind): Attempts {
  const ended = before.ended + 1;
  if (kind !== 'Unexpected') return { ...before, ended };
  return {
    ended,
    unexpected: before.unexpected + 1,
    unexpectedSince: before.unexpectedSince ?? Date.now(),
  };
}

export function mayMeetABugAgain({ unexpected, unexpectedSince }: Attempts): boolean {
  const since = unexpectedSince ?? Date.now();
  return unexpected < UNEXPECTED_ATTEMPTS && Date.now() - since < UNEXPECTED_WITHIN_MS;
}

interface Call {
  attempts: Attempts;
  /** number of the present attempt */
  attempt: number;
  scheduledMs: number;
  retryWindowMs: number;
}

/** How many attempts were lost, where that are too many: time alone would end a long command whose worker is replaced. */
export function lostTooOften({ attempts, attempt, scheduledMs, retryWindowMs }: Call): number | undefined {
  const lost = attempt - 1 - attempts.ended;
  return lost >= LOST_ATTEMPTS && Date.now() - scheduledMs >= retryWindowMs ? lost : undefined;
}
