import { sql } from 'drizzle-orm';
import { index, integer, pgTable, text } from 'drizzle-orm/pg-core';
import { moment } from './columns.js';
import { operations } from './operations.js';

/** `sending`: under way; found so later, nobody knows whether it went out, and it is not repeated. `off`: nobody is to be told this way. */
export type NoticeState = 'open' | 'sending' | 'sent' | 'maybe_sent' | 'refused' | 'off';

/** What people are told unasked, once per cause; written with the record of the cause, delivered afterwards. */
export const notices = pgTable(
  'notices',
  {
    /** its cause: `<operation>:hold:2`, `<operation>:terminated` */
    id: text('id').primaryKey(),
    operationId: text('operation_id')
      .notNull()
      .references(() => operations.id, { onDelete: 'cascade' }),
    subject: text('subject').notNull(),
    body: text('body').notNull(),
    mail: text('mail').$type<NoticeState>().notNull().default('open'),
    webhook: text('webhook').$type<NoticeState>().notNull().default('open'),
    tries: integer('tries').notNull().default(0),
    nextTryAt: moment('next_try_at').notNull().defaultNow(),
    error: text('error'),
    createdAt: moment('created_at').notNull().defaultNow(),
  },
  (t) => [
    // what is settled stays for months
    index('notices_next_try')
      .on(t.nextTryAt)
      .where(sql`${t.mail} in ('open', 'sending') or ${t.webhook} = 'open'`),
  ],
);
