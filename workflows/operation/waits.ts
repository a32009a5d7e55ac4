import { workflowInfo } from '@temporalio/workflow';
import { activitiesOf } from './acts.js';
import { type WaitActivities, waitsQueue } from '../contract/operation/admission.js';
import type { Recorder } from './recorder.js';

/**
 * Activities that wait for other operations, on the queue of waits. They are bounded by their own input; one whose
 * worker died is found by its heartbeats, and goes on where it stood in line. A cancel needs not wait for them: they
 * change nothing but their place.
 */
export function waits(): Pick<WaitActivities, 'awaitAdmission' | 'awaitSubject'> {
  return activitiesOf<WaitActivities>('operation', {
    taskQueue: waitsQueue(workflowInfo().taskQueue),
    // longer than any turn of a wait, which comes back by retry
    startToCloseTimeout: '5 minutes',
    // as that of steps: a lost worker is noticed within 10 s
    heartbeatTimeout: '10 seconds',
    cancellationType: 'TRY_CANCEL',
    retry: { initialInterval: '500 milliseconds', maximumInterval: '5 seconds' },
  });
}

/** The operation that waits. */
export interface Waiter {
  readonly recorder: Pick<Recorder, 'flush'>;
  apply(event: { type: 'waiting'; for: string | null }): void;
}

/** Shows and records what is waited for, as long as it is. */
export async function whileShown<Result>(
  run: Waiter,
  what: string,
  wait: () => Promise<Result>,
): Promise<Result> {
  run.apply({ type: 'waiting', for: what });
  await run.recorder.flush();
  const result = await wait().finally(() => run.apply({ type: 'waiting', for: null }));
  await run.recorder.flush();
  return result;
}
