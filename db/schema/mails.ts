import { integer, pgTable, text } from 'drizzle-orm/pg-core';
import { moment } from './columns.js';

export type MailState = 'sending' | 'sent' | 'failed' | 'maybe_sent';

/** Write-ahead row per effect key: a mail goes out once per cause, over retries and outages. */
export const mails = pgTable('mails', {
  effectKey: text('effect_key').primaryKey(),
  clientId: integer('client_id'),
  template: text('template').notNull(),
  recipient: text('recipient').notNull(),
  state: text('state').$type<MailState>().notNull(),
  messageId: text('message_id').notNull(),
  error: text('error'),
  createdAt: moment('created_at').notNull().defaultNow(),
  finishedAt: moment('finished_at'),
});
