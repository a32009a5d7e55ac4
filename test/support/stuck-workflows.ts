/** A deployment with a bug: the workflow task of every scripted operation fails. */
export { sweepOperations } from '../../workflows/schedules/sweep-operations.js';

export async function scripted(): Promise<void> {
  throw new TypeError('a bug of workflow code');
}
