import { integer, pgTable, text } from 'drizzle-orm/pg-core';

export const billingTypes = pgTable('billing_types', {
  id: text('id').primaryKey(),
  title: text('title').notNull(),
  position: integer('position').notNull(),
});
