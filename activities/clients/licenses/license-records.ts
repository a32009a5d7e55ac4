import { and, asc, eq, gt, inArray, sql } from 'drizzle-orm';
import type { Db, Tx } from '../../../db/database.js';
import { clients, licenseReminders } from '../../../db/schema/index.js';
import type { DueClient, DueClients } from '../../../workflows/contract/clients/licenses.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { writeFor } from '../../operation/operation-write.js';
import { lockTime, planReminders } from './reminder-plan.js';
import { statusesWith } from '../../../workflows/contract/clients/statuses.js';

export interface LicenseOptions {
  db: Db;
  /** hour of the client's day at which reminders go out */
  expiryHour: number;
  /** days between a licence's end and the lock */
  graceDays: number;
  /** tests let a year pass */
  now?: () => Date;
}

export type LicenseRecords = ReturnType<typeof createLicenseRecords>;

/** Some hundred milliseconds of work in one transaction. */
const PAGE = 200;
/** A changed zone (26 hours) and a changed hour move a reminder by less. */
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
     * Plans the reminders of a page of clients (ids above `after`) and answers what is due for each. Plans of ends that a
     * client no longer has go first, on the first page.
     */
    async planExpiry({ after }: { after: number }): Promise<DueClients> {
      const at = now();
      if (after === 0) await dropFormerPlans(db);
      return db.transaction(async (tx) => {
        const rows = await pageOfClients(tx, { after, at, graceDays });
        const due: DueClient[] = [];
        const recorded = await recordedReminders(
          tx,
          rows.map(({ id }) => id),
        );
        for (const row of rows) {
          const reminder = await planClient(tx, row, {
            at,
            expiryHour,
            recorded: recorded.get(row.id) ?? [],
          });
          const lock = lockOf(row, graceDays, at);
          if (lock === undefined && reminder === undefined) continue;
          const { id: clientId, serverId } = row;
          due.push({ clientId, serverId, ...(lock && { lock }), ...(reminder && { reminder }) });
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
type ReminderRow = typeof licenseReminders.$inferSelect;

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
    delete from license_reminders reminder using clients client
    where client.id = reminder.client_id and reminder.state = 'planned'
      and date_trunc('milliseconds', client.license_expires_at) is distinct from reminder.license_end`);
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
            select from license_reminders seen where seen.client_id = ${clients.id}
              and seen.license_end = date_trunc('milliseconds', ${clients.licenseExpiresAt}))
          or exists (
            select from license_reminders open where open.client_id = ${clients.id} and open.state = 'planned'
              and open.due_at <= ${time}::timestamptz + ${MOVED_BY}))`,
      ),
    )
    .orderBy(asc(clients.id))
    .limit(PAGE);
}

async function recordedReminders(tx: Tx, ids: number[]): Promise<Map<number, ReminderRow[]>> {
  const found = new Map<number, ReminderRow[]>(ids.map((id) => [id, []]));
  if (ids.length === 0) return found;
  const rows = await tx.select().from(licenseReminders).where(inArray(licenseReminders.clientId, ids));
  for (const row of rows) found.get(row.clientId)?.push(row);
  return found;
}

async function planClient(
  tx: Tx,
  { id: clientId, licenseExpiresAt: end, timezone }: ClientRow,
  { at, expiryHour, recorded }: { at: Date; expiryHour: number; recorded: ReminderRow[] },
): Promise<DueClient['reminder']> {
  if (end === null) return undefined;
  const ofEnd = recorded.filter(({ licenseEnd }) => licenseEnd.getTime() === end.getTime());
  const { write, send } = planReminders({ end, timezone, hour: expiryHour, now: at, recorded: ofEnd });
  for (const reminder of write) {
    await tx
      .insert(licenseReminders)
      .values({ clientId, licenseEnd: end, ...reminder })
      .onConflictDoUpdate({
        target: [licenseReminders.clientId, licenseReminders.licenseEnd, licenseReminders.days],
        set: { dueAt: reminder.dueAt, state: reminder.state, changedAt: new Date() },
        // one that has gone out meanwhile has gone out
        setWhere: eq(licenseReminders.state, 'planned'),
      });
  }
  return send === null ? undefined : { licenseEnd: end.toISOString(), days: send };
}
