import { integer, jsonb, pgTable, primaryKey, text, uniqueIndex } from 'drizzle-orm/pg-core';
import type { ClientNames } from '../../workflows/contract/clients/clients.js';
import type { ClientStatus } from '../../workflows/contract/clients/statuses.js';
import { clients } from './clients.js';
import { moment } from './columns.js';
import { servers } from './servers.js';

/**
 * Where a client is beside the server of its row: being prepared there by a move, or the stopped source that a move has
 * kept. It holds a port and a network of that server, as a client does.
 */
export const clientPlaces = pgTable(
  'client_places',
  {
    clientId: integer('client_id')
      .notNull()
      .references(() => clients.id, { onDelete: 'cascade' }),
    serverId: integer('server_id')
      .notNull()
      .references(() => servers.id),
    state: text('state').$type<'prepared' | 'kept'>().notNull(),
    names: jsonb('names').$type<ClientNames>().notNull(),
    /** whose mark the things there bear */
    operationId: text('operation_id').notNull(),
    port: integer('port').notNull(),
    subnetIndex: integer('subnet_index').notNull(),
    /** of a prepared one: what the client was before, and is again afterwards */
    status: text('status').$type<ClientStatus>(),
    /** of a kept one */
    keepUntil: moment('keep_until'),
    createdAt: moment('created_at').notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.clientId, t.serverId] }),
    uniqueIndex('client_places_port').on(t.serverId, t.port),
    uniqueIndex('client_places_subnet').on(t.serverId, t.subnetIndex),
  ],
);
