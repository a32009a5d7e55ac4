import { ActivityFailure } from '@temporalio/workflow';
import { activitiesOf } from '../operation/acts.js';
import type { CertificateSweep } from '../../activities/clients/certificates/activities.js';
import type { OverdueSources } from '../../activities/clients/moves/overdue-sources.js';
import type { ActiveServers } from '../../activities/servers/active-servers.js';
import type { NightlyActivities } from '../../activities/operation/sweep-nightly.js';
import type { BackupActivities } from '../../activities/servers/backups.js';
import type { JobActivities } from '../../activities/servers/jobs.js';
import { NIGHTLY_ACTOR } from '../contract/operation/cleanup.js';
import type { RemoveKeptSourceParams } from '../contract/clients/clients.js';
import { subjectId } from '../contract/operation/ids.js';
import { inLanes, runOperationInLane, startOperation } from './start-operation.js';

/** Clean-ups started by one night: more need a person, and history has its limits. */
const CLEANUPS = 500;
/** Certificates asked for in one night, and at the same time: authorities count requests. */
const CERTIFICATES = 300;
const CERTIFICATES_AT_ONCE = 4;
/** Kept sources of moves removed by one night, and at the same time; the next one goes on. */
const SOURCES = 200;
const SOURCES_AT_ONCE = 4;
/** Servers that are tidied up at the same time. */
const SERVERS_AT_ONCE = 10;

/** They only ask the database, and names. */
const QUICK = { startToCloseTimeout: '1 minute', retry: { maximumAttempts: 10 } } as const;

export interface Night {
  /** clean-ups that were started */
  started: number;
  /** subjects that something runs on */
  busy: number;
  removed: { secrets: number; keys: number };
  /** what moves have kept, once its time is over */
  sources: { removed: number; failed: number; busy: number };
  certificates: { issued: number; failed: number; busy: number };
  servers: { tidied: number; failed: number };
  /** backups past their time */
  backups: { removed: number; failed: number };
}

/** Once a day: open leftovers are tried again, and what has had its time is removed. Not an operation. */
export async function sweepNightly(): Promise<Night> {
  const records = activitiesOf<NightlyActivities>('operation', QUICK);
  const { listOverdueSources } = activitiesOf<OverdueSources>('clients', QUICK);
  const { listActiveServers } = activitiesOf<ActiveServers>('servers', QUICK);
  const removed = await records.removeExpired();
  const subjects = await records.listRestricted({ limit: CLEANUPS });
  const starts: boolean[] = [];
  for (const params of subjects) {
    const { subject } = params;
    const cleanup = { kind: 'cleanup', subject, params, actor: NIGHTLY_ACTOR } as const;
    starts.push((await startOperation(cleanup)) !== undefined);
  }
  const sources = await removeSources(await listOverdueSources({ limit: SOURCES }));
  const certificates = await renewCertificates();
  const ids = await listActiveServers();
  const servers = await tidyServers(ids);
  const backups = await removeBackups(ids);
  const started = starts.filter(Boolean).length;
  return { started, busy: starts.length - started, removed, sources, certificates, servers, backups };
}

async function removeSources(overdue: RemoveKeptSourceParams[]): Promise<Night['sources']> {
  const result = { removed: 0, failed: 0, busy: 0 };
  await inLanes(overdue, SOURCES_AT_ONCE, async (params) => {
    const outcome = await runOperationInLane({
      kind: 'remove_kept_source',
      subject: subjectId('client', params.clientId),
      params,
      actor: NIGHTLY_ACTOR,
    });
    if (outcome === 'done') result.removed += 1;
    else if (outcome === 'failed') result.failed += 1;
    else result.busy += 1;
  });
  return result;
}

/** Reads how long those last that are served, then asks again for what failed, is missing, or was not renewed. */
async function renewCertificates(): Promise<Night['certificates']> {
  const { readCertificates, listCertificatesDue } = activitiesOf<CertificateSweep>('clients', {
    // a page of 200, 16 at once, each 10 s at most
    startToCloseTimeout: '5 minutes',
    retry: { maximumAttempts: 3 },
  });
  for (let after: number | null = 0; after !== null; ) {
    const page: Awaited<ReturnType<CertificateSweep['readCertificates']>> = await readCertificates({ after });
    after = page.next;
  }
  const result = { issued: 0, failed: 0, busy: 0 };
  await inLanes(await listCertificatesDue({ limit: CERTIFICATES }), CERTIFICATES_AT_ONCE, async (params) => {
    const subject = subjectId('client', params.clientId);
    const outcome = await runOperationInLane({
      kind: 'issue_certificate',
      subject,
      params,
      actor: NIGHTLY_ACTOR,
    });
    if (outcome === 'done') result.issued += 1;
    else if (outcome === 'failed') result.failed += 1;
    else result.busy += 1;
  });
  return result;
}

async function removeBackups(ids: number[]): Promise<Night['backups']> {
  const { removeOldBackups } = activitiesOf<BackupActivities>('servers', {
    // large directories, some of them a night; the rest has time until the next one
    startToCloseTimeout: '30 minutes',
    retry: { maximumAttempts: 1 },
  });
  const result = { removed: 0, failed: 0 };
  for (let from = 0; from < ids.length; from += SERVERS_AT_ONCE) {
    const some = ids.slice(from, from + SERVERS_AT_ONCE).map((serverId) =>
      removeOldBackups({ serverId }).then(
        ({ removed }) => void (result.removed += removed),
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

async function tidyServers(ids: number[]): Promise<Night['servers']> {
  const { removeOldJobs } = activitiesOf<Pick<JobActivities, 'removeOldJobs'>>('servers', {
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
