import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSsh } from '../../activities/ssh/ssh.js';
import type { Ssh } from '../../activities/ssh/types.js';
import { type Database, openDatabase } from '../../db/database.js';
import { createSecrets, parseSecretKeys, type Secrets } from '../../db/secrets.js';
import { type Log, toolsDir } from '../../lab/config.js';
import { diesWithParent } from '../../lab/dies-with-parent.js';
import { freePort } from '../../lab/free-port.js';
import { type LabHost, startLabHost } from '../../lab/host.js';
import { pollUntil } from '../../lab/poll.js';
import { startPostgres } from '../../lab/postgres.js';
import { endProcess, processId } from '../../lab/processes.js';
import { deliverProduct } from '../../lab/product/deliver.js';
import { buildSampleImage } from '../../lab/product/image.js';
import { run } from '../../lab/run.js';
import { startTemporal } from '../../lab/temporal.js';
import { ensureTools } from '../../lab/tools.js';
import { SEARCH_ATTRIBUTES } from '../../workflows/contract/search-attributes.js';

export const VERSION = '1.3-master';
const ROOT = new URL('../..', import.meta.url).pathname;
const ADMIN = { login: 'admin', password: 'a long bench password' };
const SECRET_KEY = 'bench key of sufficient length';
/** Transpiling and bundling take some seconds, on a busy machine more. */
const READY_MS = 60_000;
/** The worker lets what runs end by itself for up to 45 s; nothing runs when it is stopped. */
const STOP_MS = 10_000;

export interface Rig {
  dir: string;
  host: LabHost;
  sshKeyFile: string;
  /** of this process: what a script without Slipway goes through */
  ssh: Ssh;
  database: Database;
  secrets: Secrets;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  close(): Promise<void>;
}

export interface CallOptions {
  fields?: Record<string, string>;
  headers?: Record<string, string>;
}

export interface Answer {
  status: number;
  etag: string | null;
  body: Record<string, unknown>;
}

/** Temporal, Postgres that waits for its disk, one lab host, and API and worker in processes of their own. */
export async function startRig(log: Log): Promise<Rig> {
  const dir = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
  // Postgres runs as a user of its own, who must get to its directory
  await chmod(dir, 0o711);
  const closers: (() => Promise<unknown>)[] = [() => rm(dir, { recursive: true, force: true })];
  const close = async () => {
    for (const closer of closers.toReversed()) {
      await closer().catch((error: unknown) => console.error('clean-up:', error));
    }
  };
  try {
    return { ...(await startParts({ dir, log, closers })), close };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Parts {
  dir: string;
  log: Log;
  closers: (() => Promise<unknown>)[];
}

async function startParts({ dir, log, closers }: Parts): Promise<Omit<Rig, 'close'>> {
  await ensureTools({ log, need: ['temporal', 'hosts'] });
  const image = await buildSampleImage({ version: VERSION, cacheDir: join(toolsDir, 'sample-product'), log });
  const sshKeyFile = join(dir, 'ssh-key');
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'slipway-bench', '-f', sshKeyFile]);
  const authorizedKey = await readFile(`${sshKeyFile}.pub`, 'utf8');
  const host = await startLabHost({
    name: `bench${process.pid}`,
    sql: 'mariadb',
    compose: 'v2',
    authorizedKey,
    log,
    images: [image],
  });
  closers.push(() => host.stop());
  await deliverProduct(host);
  const postgres = await startPostgres({ dir: join(dir, 'postgres'), persistent: true, log });
  closers.push(() => postgres.stop());
  const searchAttributes = Object.keys(SEARCH_ATTRIBUTES);
  const temporal = await startTemporal({ dir: join(dir, 'temporal'), log, searchAttributes });
  closers.push(() => temporal.stop());

  const port = await freePort();
  const variables = {
    NODE_ENV: 'production',
    DATABASE_URL: postgres.url,
    TEMPORAL_ADDRESS: temporal.address,
    SECRET_KEY,
    DATA_DIR: join(dir, 'data'),
    SSH_KEY_FILE: sshKeyFile,
    SSH_PUBLIC_KEY_FILE: `${sshKeyFile}.pub`,
    ADMIN_USER: ADMIN.login,
    ADMIN_PASSWORD: ADMIN.password,
    PORT: String(port),
    PRODUCT: 'sample',
  };
  for (const [name, entry] of [
    ['worker', 'worker/main.ts'],
    ['api', 'api/main.ts'],
  ] as const) {
    closers.push(await startProcess({ entry, logFile: join(dir, `${name}.log`), variables }));
  }
  const call = caller(port);
  await pollUntil({
    what: 'the worker is ready',
    deadlineMs: READY_MS,
    probe: async () =>
      (await readFile(join(dir, 'worker.log'), 'utf8')).includes('worker is ready') || undefined,
  });
  await pollUntil({
    what: 'the API answers',
    deadlineMs: READY_MS,
    probe: async () => ((await call('GET', '/servers/')).status === 200 ? true : undefined),
  });

  const ssh = createSsh({ privateKey: await readFile(sshKeyFile, 'utf8') });
  closers.push(() => ssh.close());
  const database = openDatabase({ url: postgres.url, poolSize: 2 });
  closers.push(() => database.close());
  const secrets = createSecrets(parseSecretKeys(SECRET_KEY));
  return { dir, host, sshKeyFile, ssh, database, secrets, call };
}

interface StartProcess {
  entry: string;
  logFile: string;
  variables: Record<string, string>;
}

async function startProcess({ entry, logFile, variables }: StartProcess): Promise<() => Promise<void>> {
  const sink = await open(logFile, 'a');
  const command = diesWithParent('KILL', [process.execPath, '--import', 'tsx', join(ROOT, entry)]);
  const [program = '', ...args] = command;
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...variables };
  const child = spawn(program, args, { cwd: ROOT, env, stdio: ['ignore', sink.fd, sink.fd], detached: true });
  await once(child, 'spawn');
  await sink.close();
  const id = processId(child.pid as number);
  return () => endProcess(id, STOP_MS);
}

function caller(port: number): Rig['call'] {
  const authorization = `Basic ${Buffer.from(`${ADMIN.login}:${ADMIN.password}`).toString('base64')}`;
  return async (method, path, { fields, headers = {} } = {}) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields ?? {})) form.set(name, value);
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { authorization, ...headers },
      ...(fields === undefined ? {} : { body: form }),
    });
    const text = await response.text();
    const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
    return { status: response.status, etag: response.headers.get('etag'), body };
  };
}
