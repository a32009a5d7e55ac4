/** Schedules that every worker ensures; they start sweeps, never operations. */
export const SCHEDULE_IDS = {
  minute: 'slipway:minute-sweep',
  availability: 'slipway:availability-sweep',
  expiry: 'slipway:expiry-sweep',
  nightly: 'slipway:nightly-sweep',
  users: 'slipway:users-sweep',
} as const;
