import { type ActivityOptions, proxyActivities } from '@temporalio/workflow';
import { activityName, type Wing } from '../contract/operation/activity-names.js';
import type { Act, Acts } from '../contract/operation/step.js';

/** Makers of acts for functions of a wing: `acts<SqlActivities>('clients').ensureDatabase(input)` is data, not a call. */
export function acts<Activities>(wing: Wing): Acts<Activities> {
  return new Proxy({} as Acts<Activities>, {
    get:
      (_target, name) =>
      (input: unknown): Act => ({ activity: activityName(wing, String(name)), input }),
  });
}

/** Functions of a wing to be called at once, beside any step: bookkeeping of the engine, and sweeps. */
export function activitiesOf<Activities>(wing: Wing, options: ActivityOptions): Activities {
  const named = proxyActivities<Record<string, (...input: unknown[]) => Promise<unknown>>>(options);
  return new Proxy({} as Activities & object, {
    get: (_target, name) => named[activityName(wing, String(name))],
  });
}
