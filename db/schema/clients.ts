import { sql } from 'drizzle-orm';
import { boolean, index, integer, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import type { ClientNames } from '../../workflows/contract/clients/clients.js';
import { type ClientStatus, statusesWithout } from '../../workflows/contract/clients/statuses.js';
import type { CertificateState, KindOfClient } from '../../workflows/contract/clients/values.js';
import { moment } from './columns.js';
import { servers } from './servers.js';
import { billingTypes } from './billing-types.js';

/** Nobody's any more: another client may take the subdomain. Literal, as the predicate of an index must be. */
const UNNAMED = sql.raw(
  `(${statusesWithout('named')
    .map((status) => `'${status}'`)
    .join(', ')})`,
);

export const clients = pgTable(
  'clients',
  {
    id: integer('id').primaryKey().generatedAlwaysAsIdentity(),
    serverId: integer('server_id')
      .notNull()
      .references(() => servers.id),
    status: text('status').$type<ClientStatus>().notNull(),
    kind: text('kind').$type<KindOfClient>().notNull().default('client'),
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
    uniqueIndex('clients_subdomain').on(t.subdomain).where(sql`${t.status} not in ${UNNAMED}`),
    uniqueIndex('clients_port').on(t.serverId, t.port).where(sql`${t.port} is not null`),
    uniqueIndex('clients_subnet').on(t.serverId, t.subnetIndex).where(sql`${t.subnetIndex} is not null`),
    index('clients_server').on(t.serverId, t.id),
    index('clients_status').on(t.status, t.id),
    index('clients_living').on(t.id).where(sql`${t.status} <> 'deleted'`),
  ],
);

/** Clients whose names are theirs, as the index of subdomains has it. */
export const NAMED = sql`${clients.status} not in ${UNNAMED}`;
