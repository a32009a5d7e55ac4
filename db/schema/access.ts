import { bigserial, index, integer, jsonb, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { bytes, moment } from './columns.js';

export type ApiKeyScope = 'read' | 'operate' | 'admin';

export const admins = pgTable('admins', {
  login: text('login').primaryKey(),
  /** scrypt with its parameters and salt */
  passwordHash: text('password_hash').notNull(),
  changedAt: moment('changed_at').notNull().defaultNow(),
});

/** Of tools. The key itself is shown once and not kept. */
export const apiKeys = pgTable('api_keys', {
  id: text('id').primaryKey(),
  name: text('name').notNull().unique('api_keys_name'),
  scope: text('scope').$type<ApiKeyScope>().notNull(),
  /** SHA-256 of 256 random bits: nothing to guess, so nothing to slow */
  digest: bytes('digest').notNull(),
  createdBy: text('created_by').notNull(),
  createdAt: moment('created_at').notNull().defaultNow(),
  expiresAt: moment('expires_at'),
  lastUsedAt: moment('last_used_at'),
});

/** Failed and good logins by address and name (as digests), counted over all processes of the API. */
export const loginCounts = pgTable('login_counts', {
  key: text('key').primaryKey(),
  points: integer('points').notNull(),
  expire: moment('expire'),
});

/** AES-256-GCM under the key `keyId`, bound to (`owner`, `name`) as additional data. Workflows hold only the id. */
export const secrets = pgTable(
  'secrets',
  {
    id: text('id').primaryKey(),
    /** table and row that it belongs to, such as `clients/42` */
    owner: text('owner').notNull(),
    name: text('name').notNull(),
    keyId: text('key_id').notNull(),
    nonce: bytes('nonce').notNull(),
    ciphertext: bytes('ciphertext').notNull(),
    createdAt: moment('created_at').notNull().defaultNow(),
    expiresAt: moment('expires_at'),
  },
  (t) => [index('secrets_owner').on(t.owner, t.name)],
);

/** Append-only, written in the transaction of the change that it records. */
export const auditLog = pgTable(
  'audit_log',
  {
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    time: moment('time').notNull().defaultNow(),
    actor: text('actor').notNull(),
    address: text('address').notNull(),
    requestId: text('request_id').notNull(),
    route: text('route').notNull(),
    subject: text('subject'),
    operationId: text('operation_id'),
    outcome: text('outcome').notNull(),
    detail: jsonb('detail'),
  },
  (t) => [
    index('audit_log_subject').on(t.subject, t.id),
    index('audit_log_actor').on(t.actor, t.id),
    index('audit_log_operation').on(t.operationId, t.id),
    index('audit_log_time').on(t.time),
  ],
);

export const settings = pgTable(
  'settings',
  {
    section: text('section').notNull(),
    key: text('key').notNull(),
    value: text('value').notNull(),
  },
  (t) => [primaryKey({ columns: [t.section, t.key] })],
);
