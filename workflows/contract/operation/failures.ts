import { ApplicationFailure } from '@temporalio/common';

/**
 * `docs/contract/operations.md`, Failure kinds, and what happens. The kind is the failure's `type`, and so visible in
 * every history.
 */
export const FAILURE_KINDS = [
  'InvalidInput',
  'NotFound',
  'Conflict',
  'Unauthorized',
  'HostKeyMismatch',
  'CommandFailed',
  'CapacityExceeded',
  'Unavailable',
  'RateLimited',
  'OperationClosed',
  'Unexpected',
] as const;

export type FailureKind = (typeof FAILURE_KINDS)[number];

interface Reaction {
  /** whether Temporal may run the same attempt again without a person */
  retried: boolean;
  /** what the operation does once no automatic retry is left */
  finally: 'rollback' | 'hold';
}

export const REACTIONS: Record<FailureKind, Reaction> = {
  InvalidInput: { retried: false, finally: 'rollback' },
  NotFound: { retried: false, finally: 'rollback' },
  Conflict: { retried: false, finally: 'rollback' },
  Unauthorized: { retried: false, finally: 'hold' },
  HostKeyMismatch: { retried: false, finally: 'hold' },
  CommandFailed: { retried: false, finally: 'hold' },
  CapacityExceeded: { retried: false, finally: 'hold' },
  Unavailable: { retried: true, finally: 'hold' },
  RateLimited: { retried: true, finally: 'hold' },
  OperationClosed: { retried: false, finally: 'rollback' },
  Unexpected: { retried: true, finally: 'hold' },
};

/** The server cuts longer failures and then drops their type, so every message is capped well below. */
export const MESSAGE_LIMIT_BYTES = 1024;

/** Stands where the middle of a text was cut out. */
export const CUT_MARK = ' … ';

/** NUL and halves of surrogate pairs are no text for Postgres and JSON: they would keep a record from being written. */
export function cleanText(text: string): string {
  return text.replaceAll('\u0000', '\uFFFD').replaceAll(/\p{Surrogate}/gu, '\uFFFD');
}

/** Keeps head and tail of a text that is too long: the cause of a failed command stands at either end. */
export function capText(raw: string, limitBytes = MESSAGE_LIMIT_BYTES): string {
  const text = cleanText(raw);
  if (utf8Length(text) <= limitBytes) return text;
  const mark = CUT_MARK;
  const room = limitBytes - utf8Length(mark);
  const head = takeBytes([...text], Math.floor(room / 3));
  const tail = takeBytes([...text].reverse(), room - Math.floor(room / 3));
  return head.join('') + mark + tail.reverse().join('');
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}

function takeBytes(characters: string[], limitBytes: number): string[] {
  const taken: string[] = [];
  let used = 0;
  for (const character of characters) {
    used += utf8Length(character);
    if (used > limitBytes) break;
    taken.push(character);
  }
  return taken;
}

export interface FailureDetails {
  /** what a person can do about it, shown beside the message */
  hint?: string;
  /** for `RateLimited`: how long the other side asks to wait */
  retryAfterMs?: number;
}

/**
 * The one way to fail on purpose. `message` says what failed, on which target; it never holds a secret.
 * Kinds that no automatic retry can mend are non-retryable.
 */
export function failure(
  kind: FailureKind,
  message: string,
  details: FailureDetails = {},
): ApplicationFailure {
  return ApplicationFailure.create({
    type: kind,
    message: capText(message),
    nonRetryable: !REACTIONS[kind].retried,
    details: [{ hint: details.hint === undefined ? null : capText(details.hint) }],
    ...(details.retryAfterMs === undefined ? {} : { nextRetryDelay: details.retryAfterMs }),
  });
}

export function isFailureKind(value: unknown): value is FailureKind {
  return typeof value === 'string' && (FAILURE_KINDS as readonly string[]).includes(value);
}

/** The kind of any error that reaches a step: its declared kind, or `Unexpected` for a bug. */
export function kindOf(error: unknown): FailureKind {
  return error instanceof ApplicationFailure && isFailureKind(error.type) ? error.type : 'Unexpected';
}

export function hintOf(error: unknown): string | undefined {
  const detail =
    error instanceof ApplicationFailure ? (error.details?.[0] as { hint?: unknown } | undefined) : undefined;
  return typeof detail?.hint === 'string' ? detail.hint : undefined;
}
