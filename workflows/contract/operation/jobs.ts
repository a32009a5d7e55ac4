import { activityName } from './activity-names.js';
import type { Act } from './step.js';

/** Removes what detached commands of an operation have left on these servers; those that run stay. */
export function removeJobs(servers: readonly number[], operation: string): Act {
  return { activity: activityName('servers', 'removeJobs'), input: { servers, operation } };
}
