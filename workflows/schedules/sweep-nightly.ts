import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ActivityFailure,
  ChildWorkflowCancellationType,
  ParentClosePolicy,
  proxyActivities,
  startChild,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import type { NightlyActivities } from '../../activities/records/sweep-nightly.js';
import type { JobActivities } from '../../activities/servers/jobs.js';
import { NIGHTLY_ACTOR } from '../contract/cleanup.js';
import { makeOperationId, subjectId } from '../contract/ids.js';
import type { OperationInput, OperationRequest } from '../contract/operation.js';
import { searchAttribute } from '../contract/search-attributes.js';
import { removeKeptSource } from '../clients/remove-kept-source.js';
import { cleanup } from '../fleet/cleanup.js';

/** Clean-ups started by one night: more need a person, and history has its limits. */
const CLEANUPS = 500;
/** Kept sources of moves removed by one night; the next one goes on. */
const SOURCES = 200;
/** Servers that are tidied up at the same time. */
const SERVERS_AT_ONCE = 10;

export interface Night {
  /** clean-ups that were started */
  started: number;
  /** subjects that something runs on */
  busy: number;
  /** removals of kept sources that were started */
  sources: number;
  removed: { secrets: number; keys: number };
  servers: { tidied: number; failed: number };
}

/** Once a day: open leftovers are tried again, and what has had its time is removed. Not an operation. */
export async function sweepNightly(): Promise<Night> {
  const records = proxyActivities<NightlyActivities>({
    startToCloseTimeout: '1 minute',
    retry: { maximumAttempts: 10 },
  });
  const removed = await records.removeExpired();
  const subjects = await records.listRestricted({ limit: CLEANUPS });
  const starts: boolean[] = [];
  for (const params of subjects) starts.push(await start(cleanup, 'cleanup', params.subject, params));
  const overdue = await records.listOverdueSources({ limit: SOURCES });
  const removals: boolean[] = [];
  for (const params of overdue) {
    const subject = subjectId('client', params.clientId);
    removals.push(await start(removeKeptSource, 'remove_kept_source', subject, params));
  }
  const servers = await tidyServers(await records.listActiveServers());
  const started = starts.filter(Boolean).length;
  const sources = removals.filter(Boolean).length;
  return { started, busy: starts.length - started, sources, removed, servers };
}

/** False when something runs on the subject: "already running" is busy, and the next night tries again. */
async function start<Params>(
  workflow: (input: OperationInput<Params>) => Promise<unknown>,
  kind: string,
  subject: string,
  params: Params,
): Promise<boolean> {
  const id = makeOperationId(Date.now(), Math.random);
  // nobody waits at night: what fails again is simply left over again
  const operation: OperationRequest = { id, actor: NIGHTLY_ACTOR, requestId: null, onFailure: 'rollback' };
  try {
    await startChild(workflow, {
      workflowId: subject,
      args: [{ operation, params }],
      // they go on when this one has ended or is cancelled
      parentClosePolicy: ParentClosePolicy.ABANDON,
      cancellationType: ChildWorkflowCancellationType.ABANDON,
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      memo: { operation: id, kind, subject, actor: operation.actor, requestId: null },
      typedSearchAttributes: [
        { key: searchAttribute('OpId', id).key, value: id },
        { key: searchAttribute('OpKind', kind).key, value: kind },
      ],
    });
    return true;
  } catch (thrown) {
    if (thrown instanceof WorkflowExecutionAlreadyStartedError) return false;
    throw thrown;
  }
}

async function tidyServers(ids: number[]): Promise<Night['servers']> {
  const { removeOldJobs } = proxyActivities<Pick<JobActivities, 'removeOldJobs'>>({
    startToCloseTimeout: '2 minutes',
    // a server that is away tonight is tidied up tomorrow
    retry: { maximumAttempts: 1 },
  });
  const result = { tidied: 0, failed: 0 };
  for (let from = 0; from < ids.length; from += SERVERS_AT_ONCE) {
    const some = ids.slice(from, from + SERVERS_AT_ONCE).map((serverId) =>
      removeOldJobs({ serverId }).then(
        () => void (result.tidied += 1),
        (thrown: unknown) => {
          if (!(thrown instanceof ActivityFailure)) throw thrown;
          result.failed += 1;
        },
      ),
    );
    await Promise.all(some);
  }
  return result;
}
