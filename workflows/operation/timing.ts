import type { Duration } from '@temporalio/common';
import type { ActivityOptions } from '@temporalio/workflow';

/** Cancel and loss of a worker are noticed by heartbeats: 10 s keeps resume under 20 s and outlives a blocked event loop of 5 s. */
const HEARTBEAT_TIMEOUT = '10 seconds';

/** Undo never starts before its cancelled act has ended, so cancellation waits for the act. */
const CANCELLATION = 'WAIT_CANCELLATION_COMPLETED';

/** As the SDK calls an answer that Temporal would not take: the next try would answer the same. */
const TOO_LARGE = 'PayloadsTooLarge';

/** One act of a step. Retries are unlimited here: the worker's interceptor ends them by kind and by time. */
export function actTiming(within: Duration): ActivityOptions {
  return {
    startToCloseTimeout: within,
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
    cancellationType: CANCELLATION,
    // 30 s at most between tries: a server that came back is noticed while an operator still looks
    retry: {
      initialInterval: '1 second',
      backoffCoefficient: 2,
      maximumInterval: '30 seconds',
      nonRetryableErrorTypes: [TOO_LARGE],
    },
  };
}

/** One undo. No schedule-to-close: time in which no worker runs must not use up its tries. */
export function undoTiming(attempts: number): ActivityOptions {
  return {
    // the slowest undo removes a large directory
    startToCloseTimeout: '10 minutes',
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
    cancellationType: CANCELLATION,
    retry: {
      initialInterval: '1 second',
      backoffCoefficient: 2,
      maximumInterval: '1 minute',
      maximumAttempts: attempts,
    },
  };
}

/** The claim must succeed before anything else happens, however long Postgres is away. */
export const CLAIM_TIMING: ActivityOptions = {
  startToCloseTimeout: '10 seconds',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '10 seconds' },
};

/** Records are repaired from history by the sweep: an operation never waits longer than this for its own log. */
export const RECORD_TIMING: ActivityOptions = {
  startToCloseTimeout: '5 seconds',
  scheduleToCloseTimeout: '30 seconds',
  retry: { initialInterval: '300 milliseconds', maximumInterval: '5 seconds' },
};

/** Tidying at the end is worth one more try, not a delay of the end; the sweep finds what stays. */
export const TIDY_TIMING: ActivityOptions = {
  startToCloseTimeout: '15 seconds',
  scheduleToCloseTimeout: '30 seconds',
  retry: { maximumAttempts: 2 },
};
