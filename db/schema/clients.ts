import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import type { ClientChange } from '../../workflows/contract/clients/client-change.js';
import type { ClientNames } from '../../workflows/contract/clients/clients.js';
import { moment } from './columns.js';
import { servers } from './servers.js';

export type ClientStatus =
  | 'creating'
  | 'active'
  | 'maintenance'
  | 'expired'
  | 'moving'
  | 'deleting'
  | 'deleted'
  | 'failed';

export type CertificateState = 'issued' | 'failed';

export const clients = pgTable(
  'clients',
  {
    id: integer('id').primaryKey().generatedAlwaysAsIdentity(),
    serverId: integer('server_id')
      .notNull()
      .references(() => servers.id),
    status: text('status').$type<ClientStatus>().notNull(),
    kind: text('kind').$type<'client' | 'demo' | 'test'>().notNull().default('client'),
    name: text('name').notNull(),
    shortName: text('short_name').notNull().default(''),
    adminF: text('admin_f').notNull().default(''),
    adminI: text('admin_i').notNull().default(''),
    adminO: text('admin_o').notNull().default(''),
    adminLogin: text('admin_login').notNull(),
    /** id in `secrets`; erased once the mail with it was accepted, or after 7 days */
    adminPassword: text('admin_password'),
    /** true when the caller gave the password, so that the client may be told it */
    adminPasswordGiven: boolean('admin_password_given').notNull().default(false),
    subdomain: text('subdomain').notNull(),
    email: text('email').notNull(),
    phone: text('phone').notNull().default(''),
    city: text('city').notNull().default(''),
    timezone: text('timezone').notNull().default('UTC'),
    versionTag: text('version_tag').notNull(),
    allowedIps: jsonb('allowed_ips').$type<string[]>().notNull().default([]),
    config: text('config').notNull().default(''),
    license: text('license').notNull().default(''),
    licenseExpiresAt: moment('license_expires_at'),
    billingType: text('billing_type')
      .notNull()
      .references(() => billingTypes.id),
    /** taken by the create operation, given back by its undo or by delete */
    port: integer('port'),
    /** which /28 of the server's client pool */
    subnetIndex: integer('subnet_index'),
    names: jsonb('names').$type<ClientNames | null>(),
    /** create operation: the client's things bear its mark, unless a move has made them anew */
    operationId: text('operation_id'),
    /** demo data is in it, as far as Slipway has put it there */
    demo: boolean('demo').notNull().default(false),
    /** the move that has made the client's things where they are now */
    movedBy: text('moved_by'),
    available: boolean('available'),
    availableCheckedAt: moment('available_checked_at'),
    availableSince: moment('available_since'),
    availableError: text('available_error'),
    users: integer('users'),
    usersCountedAt: moment('users_counted_at'),
    /** of the certificate that Slipway asks for; null: none was asked for yet */
    certificate: text('certificate').$type<CertificateState>(),
    certificateError: text('certificate_error'),
    certificateExpiresAt: moment('certificate_expires_at'),
    certificateCheckedAt: moment('certificate_checked_at'),
    createdAt: moment('created_at').notNull().defaultNow(),
    updatedAt: moment('updated_at').notNull().defaultNow(),
  },
  (t) => [
    uniqueIndex('clients_subdomain').on(t.subdomain).where(sql`${t.status} not in ('failed', 'deleted')`),
    uniqueIndex('clients_port').on(t.serverId, t.port).where(sql`${t.port} is not null`),
    uniqueIndex('clients_subnet').on(t.serverId, t.subnetIndex).where(sql`${t.subnetIndex} is not null`),
    index('clients_server').on(t.serverId, t.id),
    index('clients_status').on(t.status, t.id),
    index('clients_living').on(t.id).where(sql`${t.status} <> 'deleted'`),
  ],
);

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

export const billingTypes = pgTable('billing_types', {
  id: text('id').primaryKey(),
  title: text('title').notNull(),
  position: integer('position').notNull(),
});

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

/** `planned` until its time has come. `superseded`: a later one went out instead, or the end was set after its time. */
export type LicenseNoticeState = 'planned' | 'sent' | 'maybe_sent' | 'failed' | 'superseded';

/** What a client is told before its licence ends: once per end, whatever happens in between. */
export const licenseNotices = pgTable(
  'license_notices',
  {
    clientId: integer('client_id')
      .notNull()
      .references(() => clients.id, { onDelete: 'cascade' }),
    licenseEnd: moment('license_end').notNull(),
    /** before the end; 0: on its day */
    days: integer('days').notNull(),
    dueAt: moment('due_at').notNull(),
    state: text('state').$type<LicenseNoticeState>().notNull(),
    error: text('error'),
    changedAt: moment('changed_at').notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.clientId, t.licenseEnd, t.days] }),
    index('license_notices_due').on(t.dueAt).where(sql`${t.state} = 'planned'`),
  ],
);
