import { index, integer, jsonb, pgTable, text } from 'drizzle-orm/pg-core';
import type { ClientChange } from '../../workflows/contract/clients/client-change.js';

/** What an operation changes of a client, and what was there before it: undo puts that back. */
export const clientChanges = pgTable(
  'client_changes',
  {
    operationId: text('operation_id').primaryKey(),
    clientId: integer('client_id').notNull(),
    changes: jsonb('changes').$type<ClientChange>().notNull(),
    /** of the row; written with the change of the row itself */
    former: jsonb('former').$type<ClientChange | null>(),
    /** of `cloud_settings` in the client's own database; null for a setting that was not there */
    formerSettings: jsonb('former_settings').$type<Record<string, string | null> | null>(),
  },
  (t) => [index('client_changes_client').on(t.clientId)],
);
