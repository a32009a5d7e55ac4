import type { NoticeActivities } from '../../activities/operation/deliver-notices.js';
import { activitiesOf } from '../operation/acts.js';
import type { SweepActivities } from '../../activities/operation/sweep.js';

/** Every minute: rows are made true where their writer died. Not an operation: nothing of it needs a person. */
export async function sweepOperations() {
  const { resolveStarts, checkOpenOperations, archiveOperations } = activitiesOf<SweepActivities>(
    'operation',
    {
      // thousands of open rows after an outage; the next sweep is skipped meanwhile
      startToCloseTimeout: '10 minutes',
      // one beat per row, and a row is a few calls
      heartbeatTimeout: '1 minute',
      // the next minute brings the next try
      retry: { maximumAttempts: 2 },
    },
  );
  const { deliverNotices } = activitiesOf<NoticeActivities>('operation', {
    // it never beats: one batch, all at once, each mail and post with a limit of its own of a minute at most
    startToCloseTimeout: '5 minutes',
    retry: { maximumAttempts: 2 },
  });
  return {
    starts: await resolveStarts(),
    open: await checkOpenOperations(),
    archived: await archiveOperations(),
    notices: await deliverNotices(),
  };
}
