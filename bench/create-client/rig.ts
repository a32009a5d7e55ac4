import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSsh } from '../../activities/ssh/ssh.js';
import type { Ssh } from '../../activities/ssh/types.js';
import { type Database, openDatabase } from '../../db/database.js';
import { createSecrets, parseSecretKeys, type Secrets } from '../../db/secrets.js';
import type { Log } from '../../process/log.js';
import { freePort } from '../../process/free-port.js';
import { type LabHost, startLabHost } from '../../lab/host.js';
import { type PostgresServer, startPostgres } from '../../start/services/postgres.js';
import { endProcess } from '../../process/process-id.js';
import { deliverProduct } from '../../lab/product/deliver.js';
import { prepareLab } from '../../lab/prepare.js';
import { run } from '../../process/run.js';
import { startTemporal, type TemporalServer } from '../../start/services/temporal.js';
import { SEARCH_ATTRIBUTES } from '../../workflows/contract/search-attributes.js';
import { ADMIN, apiCaller, type Call } from '../api-caller.js';
import { VERSION } from '../client-fields.js';
import { SECRET_KEY } from '../services.js';
import { type Supervised, supervise } from '../supervised.js';

/** An immediate stop only ends processes. */
const IMMEDIATE_STOP_MS = 10_000;

export interface Rig {
  dir: string;
  host: LabHost;
  /** all of them; `host` is the first */
  hosts: LabHost[];
  sshKeyFile: string;
  /** of this process: what a script without Slipway goes through */
  ssh: Ssh;
  database: Database;
  secrets: Secrets;
  worker: Supervised;
  api: Supervised;
  temporal: TemporalServer;
  /** Slipway's own: stopped at once, as by a crash, and started again on its data */
  crashPostgres(): Promise<void>;
  call: Call;
  close(): Promise<void>;
}

/** Temporal, Postgres that waits for its disk, lab hosts, and API and worker in processes of their own, supervised. */
export async function startRig(log: Log, { hosts = 1 } = {}): Promise<Rig> {
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
    return { ...(await startParts({ dir, log, closers, hosts })), close };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Parts {
  dir: string;
  log: Log;
  closers: (() => Promise<unknown>)[];
  hosts: number;
}

async function startParts({ dir, log, closers, hosts: count }: Parts): Promise<Omit<Rig, 'close'>> {
  const images = await prepareLab([VERSION], log);
  const sshKeyFile = join(dir, 'ssh-key');
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'slipway-bench', '-f', sshKeyFile]);
  const authorizedKey = await readFile(`${sshKeyFile}.pub`, 'utf8');
  const hosts: LabHost[] = [];
  for (let index = 0; index < count; index += 1) {
    const name = `bench${process.pid}${index === 0 ? '' : `-${index + 1}`}`;
    const host = await startLabHost({
      name,
      sql: 'mariadb',
      compose: 'v2',
      authorizedKey,
      log,
      images,
    });
    closers.push(() => host.stop());
    await deliverProduct(host);
    hosts.push(host);
  }
  const postgres = await crashablePostgres(join(dir, 'postgres'), log);
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
  const start = async (name: 'worker' | 'api', words: string) => {
    const logFile = join(dir, `${name}.log`);
    const started = await supervise({ entry: `${name}/main.ts`, logFile, variables, words });
    closers.push(() => started.stop());
    return started;
  };
  const worker = await start('worker', 'worker is ready');
  const api = await start('api', 'listening');
  const call = apiCaller(port);
  await worker.ready();
  await api.ready();

  const ssh = createSsh({ privateKey: await readFile(sshKeyFile, 'utf8') });
  closers.push(() => ssh.close());
  const database = openDatabase({ url: postgres.url, poolSize: 2 });
  closers.push(() => database.close());
  const secrets = createSecrets(parseSecretKeys(SECRET_KEY));
  const host = hosts[0] as LabHost;
  const { crash: crashPostgres } = postgres;
  const processes = { worker, api, temporal, crashPostgres };
  return { dir, host, hosts, sshKeyFile, ssh, database, secrets, ...processes, call };
}

async function crashablePostgres(dir: string, log: Log) {
  const port = await freePort();
  const start = () => startPostgres({ dir, port, persistent: true, log });
  let current: PostgresServer = await start();
  return {
    url: current.url,
    stop: () => current.stop(),
    async crash() {
      await endProcess(current.process, IMMEDIATE_STOP_MS, 'SIGQUIT');
      current = await start();
    },
  };
}
