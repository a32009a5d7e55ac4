import { CancelledFailure, type Context } from '@temporalio/activity';
import { TemporalFailure } from '@temporalio/common';
import type {
  ActivityExecuteInput,
  ActivityInboundCallsInterceptor,
  ActivityInterceptorsFactory,
  Next,
} from '@temporalio/worker';
import {
  CUT_MARK,
  capText,
  failure,
  type FailureKind,
  hintOf,
  kindOf,
  REACTIONS,
} from '../../workflows/contract/operation/failures.js';
import type { StepError } from '../../workflows/contract/operation/operation.js';
import type { StepContext, StepRef } from '../../workflows/contract/operation/step.js';
import {
  afterFailure,
  type Attempts,
  type Beat,
  lostTooOften,
  mayMeetABugAgain,
  readBeat,
} from './attempts.js';
import type { Attempt, StepRecords } from './step-records.js';

/** A third of the heartbeat timeout of `workflows/operation/timing.ts`: two lost beats are survived. */
const BEAT_EVERY_MS = 3_000;
/** One line beside the step. */
const SUMMARY_LIMIT_BYTES = 200;
/** Enough to find the place; a stack travels with the failure, whose size the server limits. */
const STACK_FRAMES = 10;
/** Time that recording the failure may take before the server's own timeout. */
const LAST_WORDS_MS = 5_000;

export type FaultPoint = 'before' | 'after';

export interface StepInterceptorOptions {
  records: StepRecords;
  redact(text: string): string;
  /** automatic retries of one call end after this long, counted from its first failure */
  retryWindowMs: number;
  /** tests only: runs before the act's first effect and after its last one */
  inject?: (point: FaultPoint, step: StepContext) => Promise<void>;
  log: { warn(fields: object, message: string): void };
}

/**
 * Around every step of every operation: the undo ledger before the first effect, the projection, heartbeats, bounds
 * of automatic retries, redaction and caps of messages. Activities know none of it.
 */
export function createStepInterceptor(options: StepInterceptorOptions): ActivityInterceptorsFactory {
  return (context) => ({
    inbound: { execute: (input, next) => executeStep({ options, context, input, next }) },
  });
}

interface Execution {
  options: StepInterceptorOptions;
  context: Context;
  input: ActivityExecuteInput;
  next: Next<ActivityInboundCallsInterceptor, 'execute'>;
}

/** A plan has no operation that anything could be recorded of. */
const UNRECORDED: StepRecords = {
  begin: () => Promise.resolve(),
  succeed: () => Promise.resolve(),
  fail: () => Promise.resolve(false),
};

async function executeStep({ options: given, context, input, next }: Execution): Promise<unknown> {
  const ref = input.args[1];
  if (!isStepRef(ref)) return next(input).catch((thrown) => Promise.reject(tamed(thrown, given)));
  const options = ref.planning === true ? { ...given, records: UNRECORDED } : given;
  const { step, stop, said, overdue, late, attempts, keepAttempts } = stepContext(context, ref);
  const attempt: Attempt = { ref, attempt: step.attempt };
  try {
    await beforeEffects(() => options.records.begin(attempt));
    refuseWhatKills({ options, context, attempt, attempts });
    await options.inject?.('before', step);
    const result = await Promise.race([next({ ...input, args: [input.args[0], step] }), overdue]);
    await options.inject?.('after', step);
    const summary = said();
    const shown = summary === null ? null : capText(options.redact(summary), SUMMARY_LIMIT_BYTES);
    await beforeEffects(() => options.records.succeed(attempt, shown));
    return result;
  } catch (thrown) {
    throw await failed({ options, context, attempt, attempts, keepAttempts, thrown: late() ?? thrown });
  } finally {
    stop();
  }
}

/** Postgres away: the act waits for it, as long as it takes. */
async function beforeEffects(write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (thrown) {
    if (kindOf(thrown) !== 'Unexpected') throw thrown;
    throw new RecordsAway(thrown);
  }
}

class RecordsAway extends Error {
  constructor(cause: unknown) {
    super("Slipway's database does not answer", { cause });
    this.name = 'RecordsAway';
  }
}

interface Begun {
  options: StepInterceptorOptions;
  context: Context;
  attempt: Attempt;
  /** of the same call, before this one */
  attempts: Attempts;
}

/** A worker that dies of an act would die of it for ever, with nobody told. The server itself bounds undos. */
function refuseWhatKills({ options: { retryWindowMs }, context: { info }, attempt, attempts }: Begun): void {
  if (attempt.ref.phase === 'undo') return;
  const scheduledMs = info.scheduledTimestampMs;
  const lost = lostTooOften({ attempts, attempt: attempt.attempt, scheduledMs, retryWindowMs });
  if (lost === undefined) return;
  throw failure('Unavailable', `${lost} attempts did not come back: their workers died, or were cut off`, {
    hint: "the worker's own log tells what ended it; a step that takes all its memory is one cause",
  });
}

interface Failed extends Begun {
  keepAttempts(attempts: Attempts): void;
  thrown: unknown;
}

/** The failure that Temporal gets: of a known kind, redacted and capped, retried as its kind and the time allow. */
async function failed({ options, context, attempt, attempts, keepAttempts, thrown }: Failed): Promise<Error> {
  const kind = kindOf(thrown);
  const { aborted } = context.cancellationSignal;
  const now = afterFailure(attempts, aborted || thrown instanceof RecordsAway ? 'Unavailable' : kind);
  keepAttempts(now);
  if (aborted) {
    if (context.cancellationDetails?.cancelRequested === true) {
      return thrown instanceof CancelledFailure ? thrown : new CancelledFailure('cancelled while it ran');
    }
    return failure(
      'Unavailable',
      'this attempt was given up (its worker stops, or it was lost); another takes over',
    );
  }
  if (thrown instanceof RecordsAway) return failure('Unavailable', thrown.message);
  const message = redactCut(thrown instanceof Error ? thrown.message : String(thrown), options);
  if (kind === 'OperationClosed') return failure(kind, message);
  if (kind === 'Unexpected' && thrown instanceof Error) {
    const { operation, step } = attempt.ref;
    options.log.warn(
      { operation, step, name: thrown.name, message, stack: framesOf(thrown) },
      'a step failed unexpectedly',
    );
  }
  const hint = hintOf(thrown);
  const error: StepError = {
    kind,
    message: capText(message),
    ...(hint === undefined ? {} : { hint: redactCut(hint, options) }),
  };
  const mayRetry = isRetried({ kind, attempt, attempts: now, context });
  // undos are bounded by the server, bugs by their own count and time
  const unbounded = attempt.ref.phase === 'undo' || kind === 'Unexpected';
  const retryWindowMs = unbounded ? Number.POSITIVE_INFINITY : options.retryWindowMs;
  const retry = await options.records
    .fail(attempt, error, mayRetry ? retryWindowMs : null)
    .catch(() => mayRetry);
  return asFailure({ error, thrown, retry });
}

function isRetried({
  kind,
  attempt,
  attempts,
  context,
}: Pick<Begun, 'attempt' | 'attempts' | 'context'> & { kind: FailureKind }): boolean {
  if (attempt.ref.phase === 'undo') {
    const last = attempt.attempt >= (context.info.retryPolicy?.maximumAttempts ?? Number.POSITIVE_INFINITY);
    return !last && kind !== 'HostKeyMismatch' && kind !== 'Unauthorized';
  }
  if (kind === 'Unexpected') return mayMeetABugAgain(attempts);
  return REACTIONS[kind].retried;
}

function asFailure({ error, thrown, retry }: { error: StepError; thrown: unknown; retry: boolean }): Error {
  const made = failure(error.kind, error.message, error.hint === undefined ? {} : { hint: error.hint });
  const delay = (thrown as { nextRetryDelay?: unknown }).nextRetryDelay;
  return Object.assign(made, {
    nonRetryable: !retry,
    ...(delay === undefined || delay === null ? {} : { nextRetryDelay: delay }),
    ...(error.kind === 'Unexpected' && thrown instanceof Error ? { stack: framesOf(thrown) } : {}),
  });
}

/** A message that was capped where it was made may end in half a secret on either side of the cut. */
function redactCut(text: string, { redact }: StepInterceptorOptions): string {
  return text.split(CUT_MARK).map(redact).join(CUT_MARK);
}

/** Of an activity that is no step: capped and redacted like those of steps, what caused it first. */
function tamed(thrown: unknown, options: StepInterceptorOptions): unknown {
  if (!(thrown instanceof Error) || thrown instanceof TemporalFailure) return thrown;
  const { message, cause } = thrown;
  const text = cause instanceof Error ? `${cause.message}: ${message}` : message;
  return Object.assign(failure('Unexpected', redactCut(text, options)), { stack: framesOf(thrown) });
}

/** Where a bug is, without the message, which is kept apart: redacted and capped. */
function framesOf({ stack = '' }: Error): string {
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  return frames.slice(0, STACK_FRAMES).join('\n');
}

function stepContext(context: Context, ref: StepRef) {
  const deadline = new AbortController();
  const { timers, overdue } = endInTime(context, deadline);
  const { attempts, details: lastBeat } = readBeat(context.info.heartbeatDetails);
  let details = lastBeat;
  let summary: string | null = null;
  let told = attempts;
  const beat = () => context.heartbeat({ attempts: told, details } satisfies Beat);
  const keepAttempts = (now: Attempts) => {
    told = now;
    beat();
  };
  const timer = setInterval(beat, BEAT_EVERY_MS);
  const step: StepContext = {
    ...ref,
    attempt: context.info.attempt,
    signal: AbortSignal.any([context.cancellationSignal, deadline.signal]),
    cancelRequested: () => context.cancellationDetails?.cancelRequested === true,
    lastBeat,
    beat(newDetails) {
      details = newDetails;
      beat();
    },
    summarize(text) {
      summary = text;
    },
  };
  const stop = () => {
    clearInterval(timer);
    for (const timer of timers) clearTimeout(timer);
  };
  const late = () => (deadline.signal.aborted ? (deadline.signal.reason as Error) : undefined);
  return { step, stop, said: () => summary, overdue, late, attempts, keepAttempts };
}

/**
 * An attempt that the server timed out would be retried for ever, unseen: it is aborted just before, and fails as
 * `Unavailable` once its act has ended, so that the next one does not run beside it.
 */
function endInTime({ info }: Context, deadline: AbortController) {
  const timers: NodeJS.Timeout[] = [];
  const overdue = new Promise<never>((_, reject) => {
    const total = info.startToCloseTimeoutMs;
    const lastWords = Math.min(LAST_WORDS_MS, total * 0.1);
    const error = failure('Unavailable', `no end within ${Math.round(total / 1000)} s`);
    timers.push(
      setTimeout(() => deadline.abort(error), total - 2 * lastWords),
      // an act that does not listen: what is left of the time is for the record
      setTimeout(() => reject(error), total - lastWords),
    );
  });
  overdue.catch(() => undefined);
  return { timers, overdue };
}

function isStepRef(value: unknown): value is StepRef {
  return (
    typeof value === 'object' && value !== null && 'operation' in value && 'seq' in value && 'phase' in value
  );
}
