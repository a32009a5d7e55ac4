import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import type { Log } from '../process/log.js';
import { freePort } from '../process/free-port.js';
import { pollUntil } from '../process/poll.js';
import { type PostgresServer, startPostgres } from '../start/services/postgres.js';
import { startTemporal, type TemporalServer } from '../start/services/temporal.js';
import { SEARCH_ATTRIBUTES } from '../workflows/contract/search-attributes.js';
import { ADMIN, apiCaller, type Call } from './api-caller.js';
import type { Closers } from './benchmark.js';
import { packageVersions } from './environment.js';
import { type Process, READY_MS, startProcess, untilLogged } from './processes.js';

export const SECRET_KEY = 'bench key of sufficient length';

export interface Services {
  dir: string;
  postgres: PostgresServer;
  temporal: TemporalServer;
  versions: Record<string, string>;
}

/** A directory, Temporal with the flags of `npm start`, and Postgres that waits for its disk. */
export async function startServices(log: Log, closers: Closers): Promise<Services> {
  const dir = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
  closers.push(() => rm(dir, { recursive: true, force: true }));
  // Postgres runs as a user of its own, who must get to its directory
  await chmod(dir, 0o711);
  const database = await startPostgres({ dir: join(dir, 'postgres'), persistent: true, log });
  closers.push(() => database.stop());
  const searchAttributes = Object.keys(SEARCH_ATTRIBUTES);
  const temporal = await startTemporal({ dir: join(dir, 'temporal'), log, searchAttributes });
  closers.push(() => temporal.stop());
  return { dir, postgres: database, temporal, versions: await versionsOf(database.url) };
}

async function versionsOf(postgresUrl: string): Promise<Record<string, string>> {
  const sql = postgres(postgresUrl, { max: 1 });
  const [row] = await sql<{ server_version: string }[]>`show server_version`;
  await sql.end();
  return {
    postgres: row?.server_version ?? 'unknown',
    ...(await packageVersions('@temporalio/worker', 'hono', 'ssh2')),
  };
}

interface StartPart {
  services: Services;
  closers: Closers;
  variables?: Record<string, string>;
}

function variablesOf({ dir, postgres, temporal }: Services): Record<string, string> {
  return {
    NODE_ENV: 'production',
    DATABASE_URL: postgres.url,
    TEMPORAL_ADDRESS: temporal.address,
    SECRET_KEY,
    DATA_DIR: join(dir, 'data'),
    PRODUCT: 'sample',
    ADMIN_USER: ADMIN.login,
    ADMIN_PASSWORD: ADMIN.password,
  };
}

export interface Api extends Process {
  port: number;
  call: Call;
}

/** The API in a process of its own; answers when it does. */
export async function startApiProcess({ services, closers, variables }: StartPart): Promise<Api> {
  const port = await freePort();
  const logFile = join(services.dir, 'api.log');
  const api = await startProcess({
    entry: 'api/main.ts',
    logFile,
    variables: { ...variablesOf(services), ...variables, PORT: String(port) },
  });
  closers.push(() => api.stop());
  await untilLogged({ pid: api.pid, logFile, words: 'listening' });
  const call = apiCaller(port);
  await pollUntil({
    what: 'the API answers',
    deadlineMs: READY_MS,
    probe: async () => ((await call('GET', '/servers/')).status === 200 ? true : undefined),
  });
  return { ...api, port, call };
}

/** The worker in a process of its own; answers when it polls. */
export async function startWorkerProcess({ services, closers, variables }: StartPart): Promise<Process> {
  const logFile = join(services.dir, `worker-${randomBytes(3).toString('hex')}.log`);
  const worker = await startProcess({
    entry: 'worker/main.ts',
    logFile,
    variables: { ...variablesOf(services), ...variables },
  });
  closers.push(() => worker.stop());
  await untilLogged({ pid: worker.pid, logFile, words: 'worker is ready' });
  return worker;
}
