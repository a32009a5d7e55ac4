import { and, asc, eq, gt, inArray, sql } from 'drizzle-orm';
import type { Db, Tx } from '../../../db/database.js';
import { clients, licenseNotices } from '../../../db/schema/index.js';
import type { DueClient, DueClients } from '../../../workflows/contract/clients/licenses.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { writeFor } from '../../operation/operation-write.js';
import { lockTime, planNotices } from './notice-plan.js';
import { statusesWith } from '../../../workflows/contract/clients/statuses.js';

export interface LicenseOptions {
  db: Db;
  /** hour of the client's day at which notices go out */
  expiryHour: number;
  /** days between a licence's end and the lock */
  graceDays: number;
  /** tests let a year pass */
  now?: () => Date;
}

export type LicenseRecords = ReturnType<typeof createLicenseRecords>;

/** Some hundred milliseconds of work in one transaction. */
const PAGE = 200;
/** A changed zone (26 hours) and a changed hour move a notice by less. */
const MOVED_BY = sql`interval '3 days'`;

/** What is due by the clock for the licences of clients, and the status that follows from it. */
export function createLicenseRecords({ db, expiryHour, graceDays, now = () => new Date() }: LicenseOptions) {
  const setStatus = async (
    { clientId }: { clientId: number },
    step: StepContext,
    { from, to, due }: { from: 'active' | 'expired'; to: 'active' | 'expired'; due: boolean },
  ): Promise<void> => {
    await writeFor(db, step, async (tx) => {
      const [row] = await tx.select().from(clients).where(eq(clients.id, clientId)).for('update');
      // another date may have come meanwhile
      if (row?.status !== from || isLockDue(row.licenseExpiresAt, graceDays, now()) !== due) return;
      await tx.update(clients).set({ status: to, updatedAt: new Date() }).where(eq(clients.id, clientId));
    });
  };

  return {
    /**
     * Plans the notices of a page of clients (ids above `after`) and answers what is due for each. Plans of ends that a
     * client no longer has go first, on the first page.
     */
    async planExpiry({ after }: { after: number }): Promise<DueClients> {
      const at = now();
      if (after === 0) await dropFormerPlans(db);
      return db.transaction(async (tx) => {
        const rows = await pageOfClients(tx, { after, at, graceDays });
        const due: DueClient[] = [];
        const recorded = await recordedNotices(
          tx,
          rows.map(({ id }) => id),
        );
        for (const row of rows) {
          const notice = await planClient(tx, row, { at, expiryHour, recorded: recorded.get(row.id) ?? [] });
          const lock = lockOf(row, graceDays, at);
          if (lock === undefined && notice === undefined) continue;
          const { id: clientId, serverId } = row;
          due.push({ clientId, serverId, ...(lock && { lock }), ...(notice && { notice }) });
        }
        return { due, next: rows.length < PAGE ? null : (rows.at(-1)?.id ?? null) };
      });
    },

    /** Last act of a lock: the client is `expired`, unless its licence has another end by now. */
    recordLocked: (client: { clientId: number }, step: StepContext): Promise<void> =>
      setStatus(client, step, { from: 'active', to: 'expired', due: true }),

    /** Last act of an unlock. */
    recordUnlocked: (client: { clientId: number }, step: StepContext): Promise<void> =>
      setStatus(client, step, { from: 'expired', to: 'active', due: false }),
  };
}

type ClientRow = typeof clients.$inferSelect;
type NoticeRow = typeof licenseNotices.$inferSelect;

function isLockDue(end: Date | null, graceDays: number, at: Date): boolean {
  return end !== null && lockTime(end, graceDays) <= at;
}

/** A client under maintenance is locked once that is over: its page is closed anyway, and a status is one word. */
function lockOf({ status, licenseExpiresAt }: ClientRow, graceDays: number, at: Date): DueClient['lock'] {
  const due = isLockDue(licenseExpiresAt, graceDays, at);
  if (status === 'active' && due) return 'lock_client';
  return status === 'expired' && !due ? 'unlock_client' : undefined;
}

async function dropFormerPlans(db: Db): Promise<void> {
  await db.execute(sql`
    delete from license_notices notice using clients client
    where client.id = notice.client_id and notice.state = 'planned'
      and date_trunc('milliseconds', client.license_expires_at) is distinct from notice.license_end`);
}

/** Those for whom something may be due, and those whose end nobody has planned for. */
function pageOfClients(
  tx: Tx,
  { after, at, graceDays }: { after: number; at: Date; graceDays: number },
): Promise<ClientRow[]> {
  const time = at.toISOString();
  return tx
    .select()
    .from(clients)
    .where(
      and(
        gt(clients.id, after),
        inArray(clients.status, statusesWith('present')),
        sql`(${clients.status} = 'expired'
          or ${clients.status} = 'active'
            and ${clients.licenseExpiresAt} + ${graceDays}::int * interval '24 hours' <= ${time}::timestamptz
          or ${clients.licenseExpiresAt} is not null and not exists (
            select from license_notices seen where seen.client_id = ${clients.id}
              and seen.license_end = date_trunc('milliseconds', ${clients.licenseExpiresAt}))
          or exists (
            select from license_notices open where open.client_id = ${clients.id} and open.state = 'planned'
              and open.due_at <= ${time}::timestamptz + ${MOVED_BY}))`,
      ),
    )
    .orderBy(asc(clients.id))
    .limit(PAGE);
}

async function recordedNotices(tx: Tx, ids: number[]): Promise<Map<number, NoticeRow[]>> {
  const found = new Map<number, NoticeRow[]>(ids.map((id) => [id, []]));
  if (ids.length === 0) return found;
  const rows = await tx.select().from(licenseNotices).where(inArray(licenseNotices.clientId, ids));
  for (const row of rows) found.get(row.clientId)?.push(row);
  return found;
}

async function planClient(
  tx: Tx,
  { id: clientId, licenseExpiresAt: end, timezone }: ClientRow,
  { at, expiryHour, recorded }: { at: Date; expiryHour: number; recorded: NoticeRow[] },
): Promise<DueClient['notice']> {
  if (end === null) return undefined;
  const ofEnd = recorded.filter(({ licenseEnd }) => licenseEnd.getTime() === end.getTime());
  const { write, send } = planNotices({ end, timezone, hour: expiryHour, now: at, recorded: ofEnd });
  for (const notice of write) {
    await tx
      .insert(licenseNotices)
      .values({ clientId, licenseEnd: end, ...notice })
      .onConflictDoUpdate({
        target: [licenseNotices.clientId, licenseNotices.licenseEnd, licenseNotices.days],
        set: { dueAt: notice.dueAt, state: notice.state, changedAt: new Date() },
        // one that has gone out meanwhile has gone out
        setWhere: eq(licenseNotices.state, 'planned'),
      });
  }
  return send === null ? undefined : { licenseEnd: end.toISOString(), days: send };
}
