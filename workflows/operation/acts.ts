import type { Act, Acts } from '../contract/operation/step.js';

/** Makers of acts for an activity factory's functions: `acts<SqlActivities>().ensureDatabase(input)` is data, not a call. */
export function acts<Activities>(): Acts<Activities> {
  return new Proxy({} as Acts<Activities>, {
    get:
      (_target, activity) =>
      (input: unknown): Act => ({ activity: String(activity), input }),
  });
}
