import { listAudit } from '../../db/queries/audit.js';
import { parseMoment } from '../http/dates.js';
import { invalidInput } from '../http/router.js';
import type { RouteDeps } from '../operations/deps.js';

interface AuditSearch extends Omit<Parameters<typeof listAudit>[1], 'from' | 'to' | 'before' | 'limit'> {
  /** moments; UTC without an offset */
  from?: string | undefined;
  to?: string | undefined;
  limit?: number | undefined;
  cursor?: number | undefined;
}

/** Newest first; the cursor is null at the end. */
export async function listAuditPage({ db }: RouteDeps, { cursor, limit = 50, ...search }: AuditSearch) {
  const from = momentOf('from', search.from);
  const to = momentOf('to', search.to);
  const rows = await listAudit(db, { ...search, from, to, before: cursor, limit: limit + 1 });
  const page = rows.slice(0, limit);
  return {
    data: page.map((row) => ({ ...row, time: row.time.toISOString() })),
    cursor: rows.length > limit ? (page.at(-1)?.id ?? null) : null,
  };
}

function momentOf(field: string, value: string | undefined): Date | undefined {
  const moment = value === undefined ? undefined : parseMoment(value, 'UTC');
  if (moment === null) throw invalidInput([{ field, message: 'must be a date' }]);
  return moment;
}
