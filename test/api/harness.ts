import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NativeConnection, Worker, type WorkflowBundleOption } from '@temporalio/worker';
import { sql } from 'drizzle-orm';
import { createApp } from '../../api/app.js';
import { ensureFirstAdmin } from '../../api/http/auth/first-admin.js';
import type { AppSettings } from '../../api/operations/deps.js';
import { createLogger } from '../../api/http/logger.js';
import { createDigest } from '../../api/operations/digest.js';
import { createTemporal } from '../../api/operations/temporal.js';
import { createSecrets, parseSecretKeys } from '../../db/secrets.js';
import { startTemporal } from '../../start/services/temporal.js';
import { bundleWorkflows } from '../../worker/bundle.js';
import { SEARCH_ATTRIBUTES } from '../../workflows/contract/search-attributes.js';
import { type TestPostgres, testPostgres } from '../support/postgres.js';
import { quietRuntime } from '../support/quiet-runtime.js';
import { createContract } from './contract.js';
import { createStandInActivities } from './stand-in-activities.js';

quietRuntime();

const WORKFLOWS = new URL('./workflows.ts', import.meta.url).pathname;

export const ADMIN = { login: 'admin', password: 'a long test password' };

/** Tests ask in a second what others ask in an hour. */
export const UNBOUND = { requests: 1e6, changes: 1e6, checks: 1e6, strangers: 1e6 };

export type Harness = Awaited<ReturnType<typeof openHarness>>;

interface HarnessOptions {
  settings?: Partial<AppSettings>;
  /** of another harness: this one is a second process beside it */
  store?: TestPostgres;
  /** `none`: nothing answers at Temporal's address; `server`: no worker; `worker`: with one that stands in */
  temporal: 'none' | 'server' | 'worker';
  /** a Temporal of its own: what it starts on the whole fleet would be other files' too */
  alone?: true;
  /** what stands between the API (not its worker) and Temporal: answers the address to use instead */
  through?: (address: string) => Promise<string>;
}

/** The app in process, on a real Postgres and, where asked for, a real Temporal with a stand-in worker. */
export async function openHarness({
  settings = {},
  temporal: wanted,
  through,
  alone,
  ...given
}: HarnessOptions) {
  const closers: (() => Promise<unknown>)[] = [];
  const store = given.store ?? (await testPostgres());
  if (given.store === undefined) closers.push(() => store.close());
  const { db } = store.database;
  // subjects are workflow ids: other test files share the Temporal server
  const firstId = randomInt(1, 1_000_000) * 1_000;
  for (const table of ['clients', 'servers']) {
    await db.execute(sql.raw(`alter table ${table} alter column id restart with ${firstId}`));
  }
  const address = wanted === 'none' ? '127.0.0.1:1' : await temporalAddress(closers, { alone });
  const taskQueue = `api-${firstId}`;
  const seen = through === undefined ? address : await through(address);
  const temporal = createTemporal({ address: seen, namespace: 'default', taskQueue, tls: false });
  closers.push(temporal.close);
  if (wanted === 'worker') closers.push(await startWorker({ address, taskQueue, db }));
  const secrets = createSecrets(parseSecretKeys('test key of sufficient length'));
  const log: string[] = [];
  const router = createApp({
    settings: {
      adminAddresses: [],
      trustedProxies: [],
      panelOrigins: [],
      sshTofu: true,
      product: 'sample',
      products: ['sample'],
      backupKeepDays: 30,
      moveKeepDays: 7,
      rateLimits: UNBOUND,
      ...settings,
    },
    database: store.database,
    secrets,
    temporal,
    digest: createDigest('test key of sufficient length'),
    logger: createLogger({
      level: 'info',
      redact: secrets.redact,
      destination: { write: (line: string) => void log.push(line) },
    }),
    sshPublicKey: async () => 'ssh-ed25519 AAAA test',
  });
  await ensureFirstAdmin({ db, ...ADMIN, dataDir: tmpdir() });
  const contract = createContract(router);
  const call = async (method: string, path: string, init: CallOptions = {}) => {
    const { as = ADMIN, headers = {}, json, form, from = '192.0.2.1', ...rest } = init;
    const given = new Headers(headers);
    if (as !== null) given.set('authorization', basic(as));
    let body = rest.body;
    if (json !== undefined) {
      given.set('content-type', 'application/json');
      body = JSON.stringify(json);
    }
    if (form !== undefined) body = formOf(form);
    const request = { method, headers: given, ...(body === undefined ? {} : { body }) };
    const response = await router.hono.request(path, request, {
      incoming: { socket: { remoteAddress: from } },
    });
    const plain =
      path
        .split('?')[0]
        ?.replace(/\/+$/, '')
        .replace(/^\/server(?=\/|$)/, '/servers') ?? '';
    await contract.check(method, response, plain);
    return response;
  };
  return {
    db,
    store,
    contract,
    secrets,
    temporal,
    router,
    log,
    call,
    address,
    taskQueue,
    async close() {
      for (const close of closers.toReversed()) await close();
    },
  };
}

export interface CallOptions {
  as?: { login: string; password: string } | null;
  headers?: Record<string, string>;
  json?: unknown;
  form?: Record<string, string>;
  body?: string | FormData | Uint8Array;
  /** address of the peer */
  from?: string;
}

export function basic({ login, password }: { login: string; password: string }): string {
  return `Basic ${Buffer.from(`${login}:${password}`).toString('base64')}`;
}

export function formOf(fields: Record<string, string>): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  return form;
}

async function temporalAddress(
  closers: (() => Promise<unknown>)[],
  { alone = false }: { alone: boolean | undefined },
): Promise<string> {
  const shared = process.env['SLIPWAY_TEST_TEMPORAL'];
  if (shared !== undefined && !alone) return shared;
  const dir = await mkdtemp(join(tmpdir(), 'slipway-temporal-'));
  const server = await startTemporal({
    dir,
    log: () => undefined,
    searchAttributes: Object.keys(SEARCH_ATTRIBUTES),
  });
  closers.push(async () => {
    await server.stop();
    await rm(dir, { recursive: true, force: true });
  });
  return server.address;
}

interface StartWorker {
  address: string;
  taskQueue: string;
  db: Parameters<typeof createStandInActivities>[0];
}

async function startWorker({ address, taskQueue, db }: StartWorker): Promise<() => Promise<void>> {
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection,
    taskQueue,
    workflowBundle: await standInBundle(),
    activities: createStandInActivities(db),
  });
  const running = worker.run();
  return async () => {
    worker.shutdown();
    await running;
    await connection.close();
  };
}

/** Made once by `test/run.ts`; absent when a file runs alone. */
async function standInBundle(): Promise<WorkflowBundleOption> {
  const codePath = process.env['SLIPWAY_TEST_API_BUNDLE'];
  return codePath === undefined ? bundleWorkflows(WORKFLOWS) : { codePath };
}

export async function pollUntil<T>(
  look: () => Promise<T | undefined | false>,
  deadlineMs = 20_000,
): Promise<T> {
  const until = Date.now() + deadlineMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > until) throw new Error(`not within ${deadlineMs} ms: ${look.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}
