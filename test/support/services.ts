import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import postgres from 'postgres';
import { type Database, openDatabase } from '../../db/database.js';
import { startPostgres } from '../../start/services/postgres.js';
import { startTemporal } from '../../start/services/temporal.js';
import { bundleWorkflows } from '../../worker/bundle.js';
import { SEARCH_ATTRIBUTES } from '../../workflows/contract/search-attributes.js';
import { quietRuntime } from './quiet-runtime.js';
import { createTestDatabase } from './postgres.js';

quietRuntime();

/** Addresses of what one run of the tests shares; set by `test/run.ts`, absent when a file runs alone. */
export const SHARED = {
  postgres: process.env['SLIPWAY_TEST_POSTGRES'],
  temporal: process.env['SLIPWAY_TEST_TEMPORAL'],
  bundle: process.env['SLIPWAY_TEST_BUNDLE'],
};

export interface Services {
  database: Database;
  databaseUrl: string;
  client: Client;
  native: NativeConnection;
  temporalAddress: string;
  close(): Promise<void>;
}

export interface OwnServices {
  /** address */
  temporal?: string;
  databaseUrl?: string;
}

/** A database of its own and a connection to Temporal, on the run's shared servers or on own ones. */
export async function openServices({ temporal, ...given }: OwnServices = {}): Promise<Services> {
  const closers: (() => Promise<unknown>)[] = [];
  const databaseUrl =
    given.databaseUrl ?? (await createDatabase(SHARED.postgres ?? (await ownPostgres(closers))));
  const database = openDatabase({ url: databaseUrl, poolSize: 10 });
  closers.push(() => database.close());
  const temporalAddress = temporal ?? SHARED.temporal ?? (await ownTemporal(closers));
  const connection = await Connection.connect({ address: temporalAddress });
  closers.push(() => connection.close());
  const native = await NativeConnection.connect({ address: temporalAddress });
  closers.push(() => native.close());
  return {
    database,
    databaseUrl,
    client: new Client({ connection }),
    native,
    temporalAddress,
    async close() {
      for (const close of closers.reverse()) await close();
    },
  };
}

const TEST_WORKFLOWS = new URL('./core-workflows.ts', import.meta.url).pathname;

/** Slipway's workflows and those that only tests need, bundled once per run. */
export async function testBundle(): Promise<{ code: string }> {
  if (SHARED.bundle !== undefined) return { code: await readFile(SHARED.bundle, 'utf8') };
  return bundleWorkflows(TEST_WORKFLOWS);
}

async function createDatabase(serverUrl: string): Promise<string> {
  const admin = postgres(serverUrl, { max: 1, onnotice: () => undefined });
  const { url } = await createTestDatabase(admin, serverUrl);
  await admin.end();
  return url;
}

const silent = (): void => undefined;

async function ownPostgres(closers: (() => Promise<unknown>)[]): Promise<string> {
  const dir = await temporaryDirectory(closers, 'postgres');
  const server = await startPostgres({ dir, persistent: false, log: silent });
  closers.push(() => server.stop());
  return server.url;
}

async function ownTemporal(closers: (() => Promise<unknown>)[]): Promise<string> {
  const dir = await temporaryDirectory(closers, 'temporal');
  const searchAttributes = Object.keys(SEARCH_ATTRIBUTES);
  const server = await startTemporal({ dir, log: silent, searchAttributes });
  closers.push(() => server.stop());
  return server.address;
}

async function temporaryDirectory(closers: (() => Promise<unknown>)[], name: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), `slipway-${name}-`));
  closers.push(() => rm(dir, { recursive: true, force: true }));
  return dir;
}
