import { integer, jsonb, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import type { TimelineType } from '../../workflows/contract/operation/timeline.js';
import { moment } from './columns.js';
import { operations } from './operations.js';

/** Timelines of closed operations, written from Temporal's history, never from the projection: they outlive it. */
export const operationTimeline = pgTable(
  'operation_timeline',
  {
    operationId: text('operation_id')
      .notNull()
      .references(() => operations.id, { onDelete: 'cascade' }),
    run: integer('run_ordinal').notNull(),
    event: integer('event').notNull(),
    time: moment('time').notNull(),
    type: text('type').$type<TimelineType>().notNull(),
    step: text('step'),
    message: text('message').notNull(),
    data: jsonb('data').$type<Record<string, string | number>>().notNull(),
  },
  (t) => [primaryKey({ columns: [t.operationId, t.run, t.event] })],
);
