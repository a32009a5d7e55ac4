import type { LicenseRecords } from '../../activities/clients/licenses/license-records.js';
import { activitiesOf } from '../operation/acts.js';
import { subjectId } from '../contract/operation/ids.js';
import { CLOCK_ACTOR, type DueClient } from '../contract/clients/licenses.js';
import { inLanes, runOperationInLane, type SweptOperation } from './start-operation.js';

/** Mails and SQL statements of a second each; more at once would only crowd the worker of other operations. */
const AT_ONCE = 10;
/** Some 20 events each, of the 50,000 that a history takes; the next hour does the rest. */
const CLIENTS_LIMIT = 1_000;

export interface ExpirySwept {
  done: number;
  failed: number;
  /** subjects that something runs on, or that took too long to be waited for: the next hour looks again */
  busy: number;
}

/** Once an hour: licences that end are told, those that have ended are locked, those that go on are unlocked. */
export async function sweepExpiry(): Promise<ExpirySwept> {
  const { planExpiry } = activitiesOf<LicenseRecords>('clients', {
    startToCloseTimeout: '1 minute',
    // an hour is long, but Postgres may be away for some minutes of it
    retry: { maximumAttempts: 10 },
  });
  const swept: ExpirySwept = { done: 0, failed: 0, busy: 0 };
  let seen = 0;
  for (let after: number | null = 0; after !== null && seen < CLIENTS_LIMIT; ) {
    const page: Awaited<ReturnType<LicenseRecords['planExpiry']>> = await planExpiry({ after });
    await inLanes(page.due, AT_ONCE, (client) => settle(client, swept));
    seen += page.due.length;
    after = page.next;
  }
  return swept;
}

/** One after another, for they have one subject. The lock comes first: it is to the hour. */
async function settle(client: DueClient, swept: ExpirySwept): Promise<void> {
  for (const operation of operationsOf(client)) {
    const outcome = await runOperationInLane(operation);
    if (outcome === 'done') swept.done += 1;
    else if (outcome === 'failed') swept.failed += 1;
    else swept.busy += 1;
    if (outcome === 'busy' || outcome === 'late') return;
  }
}

function operationsOf({ clientId, serverId, lock, reminder }: DueClient): SweptOperation[] {
  const common = { subject: subjectId('client', clientId), actor: CLOCK_ACTOR };
  return [
    ...(lock === undefined ? [] : [{ ...common, kind: lock, params: { clientId, serverId } }]),
    ...(reminder === undefined
      ? []
      : [{ ...common, kind: 'notify_expiry' as const, params: { clientId, ...reminder } }]),
  ];
}
