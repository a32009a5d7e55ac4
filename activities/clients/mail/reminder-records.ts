import { and, eq } from 'drizzle-orm';
import type { Db } from '../../../db/database.js';
import { licenseReminders, type LicenseReminderState } from '../../../db/schema/index.js';
import type { NotifyExpiryParams } from '../../../workflows/contract/clients/licenses.js';

/** Key of the mail: it belongs to the licence end and not to the operation that sends it, so that no other one repeats it. */
export function reminderKey({ clientId, licenseEnd, days }: NotifyExpiryParams): string {
  return `expiry-${clientId}-${licenseEnd.replaceAll(/[^0-9TZ]/g, '')}-${days}`;
}

/** What became of a planned reminder; one that has an end already keeps it. */
export async function recordReminder(
  db: Db,
  { clientId, licenseEnd, days }: NotifyExpiryParams,
  { state, error = null }: { state: LicenseReminderState; error?: string | null },
): Promise<void> {
  await db
    .update(licenseReminders)
    .set({ state, error, changedAt: new Date() })
    .where(
      and(
        eq(licenseReminders.clientId, clientId),
        eq(licenseReminders.licenseEnd, new Date(licenseEnd)),
        eq(licenseReminders.days, days),
        eq(licenseReminders.state, 'planned'),
      ),
    );
}
