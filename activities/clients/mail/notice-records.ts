import { and, eq } from 'drizzle-orm';
import type { Db } from '../../../db/database.js';
import { licenseNotices, type LicenseNoticeState } from '../../../db/schema/index.js';
import type { NotifyExpiryParams } from '../../../workflows/contract/clients/licenses.js';

/** Key of the mail: it belongs to the licence end and not to the operation that sends it, so that no other one repeats it. */
export function noticeKey({ clientId, licenseEnd, days }: NotifyExpiryParams): string {
  return `expiry-${clientId}-${licenseEnd.replaceAll(/[^0-9TZ]/g, '')}-${days}`;
}

/** What became of a planned notice; one that has an end already keeps it. */
export async function recordNotice(
  db: Db,
  { clientId, licenseEnd, days }: NotifyExpiryParams,
  { state, error = null }: { state: LicenseNoticeState; error?: string | null },
): Promise<void> {
  await db
    .update(licenseNotices)
    .set({ state, error, changedAt: new Date() })
    .where(
      and(
        eq(licenseNotices.clientId, clientId),
        eq(licenseNotices.licenseEnd, new Date(licenseEnd)),
        eq(licenseNotices.days, days),
        eq(licenseNotices.state, 'planned'),
      ),
    );
}
