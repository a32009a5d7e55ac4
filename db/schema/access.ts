import { bigserial, index, jsonb, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { bytes, moment } from './columns.js';

export const admins = pgTable('admins', {
  login: text('login').primaryKey(),
  /** scrypt with its parameters and salt */
  passwordHash: text('password_hash').notNull(),
  changedAt: moment('changed_at').notNull().defaultNow(),
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
  (t) => [index('audit_log_subject').on(t.subject, t.id)],
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
