import { Client, type ScheduleOptions, ScheduleAlreadyRunning } from '@temporalio/client';
import type { Duration } from '@temporalio/common';
import type { NativeConnection } from '@temporalio/worker';
import { SCHEDULE_IDS } from '../workflows/contract/operation/schedules.js';

type Plan = Pick<ScheduleOptions, 'spec' | 'policies' | 'action'>;

/** Sweeps of the same kind never run beside each other: the next one finds what this one has left. */
const OVERLAP = 'SKIP';

function plans(taskQueue: string): Record<string, Plan> {
  const start = (workflowType: string, id: string, workflowExecutionTimeout: Duration = '30 minutes') =>
    ({
      type: 'startWorkflow',
      workflowType,
      taskQueue,
      workflowId: id,
      args: [],
      // one that cannot go on, such as after a deployment, must not keep the next ones away
      workflowExecutionTimeout,
    }) as const;
  return {
    [SCHEDULE_IDS.minute]: {
      spec: { intervals: [{ every: '1 minute' }] },
      // a missed minute is made good by the next one
      policies: { overlap: OVERLAP, catchupWindow: '1 minute' },
      action: start('sweepOperations', SCHEDULE_IDS.minute),
    },
    [SCHEDULE_IDS.availability]: {
      // between two minute sweeps
      spec: { intervals: [{ every: '1 minute', offset: '30 seconds' }] },
      // what was not asked then cannot be asked any more
      policies: { overlap: OVERLAP, catchupWindow: '10 seconds' },
      action: start('sweepAvailability', SCHEDULE_IDS.availability),
    },
    [SCHEDULE_IDS.expiry]: {
      // at the full hour: a lock is to the hour
      spec: { intervals: [{ every: '1 hour' }] },
      // the next one does whatever a missed one would have done
      policies: { overlap: OVERLAP, catchupWindow: '1 hour' },
      action: start('sweepExpiry', SCHEDULE_IDS.expiry),
    },
    [SCHEDULE_IDS.nightly]: {
      // UTC; when customers sleep, and not at the full hour, when everybody's jobs run
      spec: { calendars: [{ hour: 2, minute: 47 }] },
      // a machine that is off at night makes it good in the morning
      policies: { overlap: OVERLAP, catchupWindow: '12 hours' },
      action: start('sweepNightly', SCHEDULE_IDS.nightly),
    },
    [SCHEDULE_IDS.users]: {
      // after the nightly sweep, for both ask every server
      spec: { calendars: [{ hour: 3, minute: 23 }] },
      policies: { overlap: OVERLAP, catchupWindow: '12 hours' },
      // a one-off container for each client, two at once on a server
      action: start('sweepUsers', SCHEDULE_IDS.users, '4 hours'),
    },
  };
}

/**
 * Creates the sweeps' schedules, or brings them up to date; a paused one stays paused. Several workers may do it at once.
 */
export async function ensureSchedules(
  connection: NativeConnection,
  { namespace, taskQueue }: { namespace: string; taskQueue: string },
): Promise<void> {
  const { schedule } = new Client({ connection, namespace });
  for (const [scheduleId, plan] of Object.entries(plans(taskQueue))) {
    try {
      await schedule.create({ scheduleId, ...plan });
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      await schedule.getHandle(scheduleId).update(({ state }) => ({ ...plan, state }));
    }
  }
}
