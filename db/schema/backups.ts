import { sql } from 'drizzle-orm';
import { bigint, index, integer, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { moment } from './columns.js';

export type BackupKind = 'delete' | 'change';

export const backups = pgTable(
  'backups',
  {
    id: integer('id').primaryKey().generatedAlwaysAsIdentity(),
    clientId: integer('client_id').notNull(),
    serverId: integer('server_id').notNull(),
    kind: text('kind').$type<BackupKind>().notNull(),
    operationId: text('operation_id').notNull(),
    /** directory on the server that holds the dump and the archive */
    path: text('path').notNull(),
    sizeBytes: bigint('size_bytes', { mode: 'number' }),
    versionTag: text('version_tag').notNull(),
    createdAt: moment('created_at').notNull().defaultNow(),
    expiresAt: moment('expires_at').notNull(),
    /** when its directory was removed, its time being over */
    removedAt: moment('removed_at'),
  },
  (t) => [
    // one attempt that lost its answer records it again
    uniqueIndex('backups_path').on(t.serverId, t.path),
    index('backups_due').on(t.serverId, t.expiresAt).where(sql`${t.removedAt} is null`),
  ],
);
