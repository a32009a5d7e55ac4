import type { OperationLimits } from '../workflows/contract/operation/operation.js';

export const DEFAULT_LIMITS: OperationLimits = {
  // half an hour: an operator who is called at night is at the keyboard by then
  holdWindowMs: 30 * 60_000,
  lateMs: 60_000,
  // 1 + 2 + 4 + … + 60 s between tries are about 15 minutes
  undoAttempts: 20,
  // forward-only operations try again by themselves while they hold
  forwardRetryMs: 15 * 60_000,
  // an hour: a migration or a build on a server is over by then; longer, somebody should look
  gateWaitMs: 60 * 60_000,
  // ten minutes: most operations on one subject are; a person who asked for two at once still looks
  busyWaitMs: 10 * 60_000,
  // five minutes: only a lost signal makes a child silent, and the minute sweep has mended its record by then
  silenceMs: 5 * 60_000,
};

/** A server that reboots with a file system check is back within this time. */
export const RETRY_WINDOW_MS = 10 * 60_000;
