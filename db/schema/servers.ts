import { sql } from 'drizzle-orm';
import { boolean, integer, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import type { Rehearsal } from '../../workflows/contract/clients/rehearsal.js';
import { moment } from './columns.js';

export type SqlEngine = 'mariadb' | 'postgres';

export const servers = pgTable(
  'servers',
  {
    id: integer('id').primaryKey().generatedAlwaysAsIdentity(),
    name: text('name').notNull(),
    host: text('host').notNull(),
    domain: text('domain').notNull(),
    active: boolean('active').notNull().default(true),
    sshPort: integer('ssh_port').notNull().default(22),
    sshUser: text('ssh_user').notNull().default('www-data'),
    sshHostKey: text('ssh_host_key'),
    /** false while the key was pinned on first sight and no person has said that it is right */
    sshHostKeyConfirmed: boolean('ssh_host_key_confirmed').notNull().default(false),
    sqlEngine: text('sql_engine').$type<SqlEngine>().notNull().default('mariadb'),
    sqlHost: text('sql_host').notNull(),
    sqlPort: integer('sql_port').notNull(),
    sqlUser: text('sql_user').notNull(),
    /** id in `secrets` */
    sqlPassword: text('sql_password').notNull(),
    baseDir: text('base_dir').notNull().default('/srv'),
    vhostDir: text('vhost_dir').notNull().default('/etc/nginx/conf.d'),
    clientPool: text('client_pool').notNull().default('10.213.0.0/16'),
    portFrom: integer('port_from').notNull().default(20000),
    portTo: integer('port_to').notNull().default(29999),
    stage: boolean('stage').notNull().default(false),
    publisher: boolean('publisher').notNull().default(false),
    product: text('product').notNull(),
    /** how much of a change of version is tried on a copy first, where a request does not say */
    rehearse: text('rehearse').$type<Rehearsal>().notNull().default('migrate'),
    tls: text('tls').$type<'auto' | 'off'>().notNull().default('auto'),
    tlsCert: text('tls_cert'),
    tlsKey: text('tls_key'),
    /** last live reading, with its time */
    reading: jsonb('reading').$type<{ readAt: string; [figure: string]: unknown } | null>(),
    createdAt: moment('created_at').notNull().defaultNow(),
    updatedAt: moment('updated_at').notNull().defaultNow(),
  },
  (t) => [uniqueIndex('servers_host').on(sql`lower(${t.host})`, t.sshPort)],
);
