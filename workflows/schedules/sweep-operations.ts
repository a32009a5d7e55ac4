import { proxyActivities } from '@temporalio/workflow';
import type { NoticeActivities } from '../../activities/mail/notices.js';
import type { SweepActivities } from '../../activities/records/sweep.js';

/** Every minute: rows are made true where their writer died. Not an operation: nothing of it needs a person. */
export async function sweepOperations() {
  const { resolveStarts, checkOpenOperations, archiveOperations, deliverNotices } = proxyActivities<
    SweepActivities & NoticeActivities
  >({
    // thousands of open rows after an outage; the next sweep is skipped meanwhile
    startToCloseTimeout: '10 minutes',
    // one beat per row, and a row is a few calls
    heartbeatTimeout: '1 minute',
    // the next minute brings the next try
    retry: { maximumAttempts: 2 },
  });
  return {
    starts: await resolveStarts(),
    open: await checkOpenOperations(),
    archived: await archiveOperations(),
    notices: await deliverNotices(),
  };
}
