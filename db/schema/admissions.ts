import { bigserial, index, integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { moment } from './columns.js';
import { operations } from './operations.js';

export type AdmissionMode = 'shared' | 'exclusive';

/** Who may work at a place, and who waits for it: first come, first served by ticket, within one root operation all may. */
export const admissions = pgTable(
  'admissions',
  {
    /** `server:3` */
    place: text('place').notNull(),
    operationId: text('operation_id')
      .notNull()
      .references(() => operations.id, { onDelete: 'cascade' }),
    /** the operation that all of it belongs to */
    rootId: text('root_id').notNull(),
    mode: text('mode').$type<AdmissionMode>().notNull(),
    /** counts how often the operation has asked: whatever still speaks of an earlier time changes nothing */
    taking: integer('taking').notNull(),
    ticket: bigserial('ticket', { mode: 'number' }),
    requestedAt: moment('requested_at').notNull().defaultNow(),
    /** null while it waits, and once it was given back */
    grantedAt: moment('granted_at'),
    /** set while a hold has it given back; it is out of the line then */
    givenBackAt: moment('given_back_at'),
    /** when somebody who waits last asked whether its operation lives */
    checkedAt: moment('checked_at'),
  },
  (t) => [primaryKey({ columns: [t.place, t.operationId] }), index('admissions_operation').on(t.operationId)],
);
