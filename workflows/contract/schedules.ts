/** Schedules that every worker ensures; they start sweeps, never operations. */
export const SCHEDULE_IDS = {
  minute: 'slipway:minute-sweep',
  nightly: 'slipway:nightly-sweep',
} as const;
