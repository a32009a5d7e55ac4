import { pgTable, text } from 'drizzle-orm/pg-core';
import { moment } from './columns.js';

/** A version as the clients of the fleet are told of it, for as long as somebody may still have to be told. */
export const releases = pgTable('releases', {
  /** the operation that announces it */
  operationId: text('operation_id').primaryKey(),
  version: text('version').notNull(),
  /** markdown */
  info: text('info').notNull(),
  releasedAt: moment('released_at').notNull().defaultNow(),
});
