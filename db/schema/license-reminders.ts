import { sql } from 'drizzle-orm';
import { index, integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { clients } from './clients.js';
import { moment } from './columns.js';

/** `planned` until its time has come. `superseded`: a later one went out instead, or the end was set after its time. */
export type LicenseReminderState = 'planned' | 'sent' | 'maybe_sent' | 'failed' | 'superseded';

/** What a client is told before its licence ends: once per end, whatever happens in between. */
export const licenseReminders = pgTable(
  'license_reminders',
  {
    clientId: integer('client_id')
      .notNull()
      .references(() => clients.id, { onDelete: 'cascade' }),
    licenseEnd: moment('license_end').notNull(),
    /** before the end; 0: on its day */
    days: integer('days').notNull(),
    dueAt: moment('due_at').notNull(),
    state: text('state').$type<LicenseReminderState>().notNull(),
    error: text('error'),
    changedAt: moment('changed_at').notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.clientId, t.licenseEnd, t.days] }),
    index('license_reminders_due').on(t.dueAt).where(sql`${t.state} = 'planned'`),
  ],
);
