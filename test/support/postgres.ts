import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { type Database, openDatabase } from '../../db/database.js';
import { migrateDatabase } from '../../db/migrate.js';
import { startPostgres } from '../../start/services/postgres.js';

export interface TestPostgres {
  /** of a migrated database of this test file's own */
  url: string;
  database: Database;
  /** ends all connections of the file's database and lets nobody in until `open` */
  shut(): Promise<void>;
  open(): Promise<void>;
  close(): Promise<void>;
}

/**
 * A migrated database for one test file: on the run's server (`SLIPWAY_TEST_POSTGRES`, a superuser's URL), else on one
 * started for this file.
 */
export async function testPostgres(): Promise<TestPostgres> {
  const server = await findServer();
  const admin = postgres(server.url, { max: 1, onnotice: () => undefined });
  const { name, url } = await createTestDatabase(admin, server.url);
  const database = openDatabase({ url, poolSize: 10 });
  return {
    url,
    database,
    async shut() {
      await admin.unsafe(`alter database ${name} allow_connections false`);
      await admin`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name}`;
    },
    async open() {
      await admin.unsafe(`alter database ${name} allow_connections true`);
    },
    async close() {
      await database.close();
      await admin.unsafe(`drop database if exists ${name} with (force)`);
      await admin.end();
      await server.stop();
    },
  };
}

/** A copy of a migrated database, which is made once per server. */
export async function createTestDatabase(
  admin: postgres.Sql,
  serverUrl: string,
): Promise<{ name: string; url: string }> {
  const template = 'slipway_template';
  const name = `test_${randomBytes(6).toString('hex')}`;
  await ensureTemplate(admin, serverUrl, template);
  await admin.unsafe(`create database ${name} template ${template}`);
  return { name, url: withDatabase(serverUrl, name) };
}

async function findServer(): Promise<{ url: string; stop(): Promise<void> }> {
  const shared = process.env['SLIPWAY_TEST_POSTGRES'];
  if (shared !== undefined) return { url: shared, stop: async () => undefined };
  const dir = await mkdtemp(join(tmpdir(), 'slipway-postgres-'));
  await chmod(dir, 0o755); // the server may run as another user
  const server = await startPostgres({ dir, persistent: false, log: () => undefined });
  return {
    url: server.url,
    async stop() {
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Migrated once per server; test files that come at the same time wait for the first. */
async function ensureTemplate(admin: postgres.Sql, url: string, template: string): Promise<void> {
  await admin`select pg_advisory_lock(hashtext('slipway:test-template'))`;
  try {
    const [existing] = await admin`select 1 from pg_database where datname = ${template}`;
    if (existing !== undefined) return;
    await admin.unsafe(`drop database if exists ${template}_making`);
    await admin.unsafe(`create database ${template}_making`);
    await migrateDatabase(withDatabase(url, `${template}_making`));
    await admin.unsafe(`alter database ${template}_making rename to ${template}`);
  } finally {
    await admin`select pg_advisory_unlock(hashtext('slipway:test-template'))`;
  }
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}
