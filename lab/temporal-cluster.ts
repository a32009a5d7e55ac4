import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Log } from '../process/log.js';
import { diesWithParent } from '../process/dies-with-parent.js';
import { freePort } from '../process/free-port.js';
import { ensureServer, type ServerTools } from './full-server.js';
import { pollUntil } from '../process/poll.js';
import { startPostgres } from '../start/services/postgres.js';
import { endProcess, type ProcessId, processId, sendSignal } from '../process/process-id.js';
import { run } from '../process/run.js';
import type { TemporalServer } from '../start/services/temporal.js';
import { ensureTemporal } from '../start/tools/temporal-cli.js';

/** As the dev server's, without its Web UI; `restart`, `kill` and `stop` leave Postgres alone until `stop`. */
export type TemporalCluster = Omit<TemporalServer, 'uiUrl'> & {
  /** of the Postgres below, database `temporal` or `temporal_visibility` */
  databaseUrl(name: string): string;
};

interface StartCluster {
  /** databases, configuration and logs; made when absent */
  dir: string;
  log: Log;
}

const COMPOSE_FILE = new URL('../docker-compose.yml', import.meta.url);
/** Databases with the directory of their schema. */
const DATABASES = { temporal: 'temporal', temporal_visibility: 'visibility' };
/** Each listens for calls and for the other members; only the frontend has HTTP too. */
const PORTS = [
  ...['FRONTEND_HTTP_PORT', 'FRONTEND_MEMBERSHIP_PORT', 'HISTORY_GRPC_PORT', 'HISTORY_MEMBERSHIP_PORT'],
  ...['MATCHING_GRPC_PORT', 'MATCHING_MEMBERSHIP_PORT', 'WORKER_GRPC_PORT', 'WORKER_MEMBERSHIP_PORT'],
];
/** Its table of members takes ports below 32768 only, which are those that the kernel hands to nobody by itself. */
const LOWEST_PORT = 20_000;
const PORTS_BELOW = 32_768;
/** It takes 3 to 5 s alone, and the machine may be busy. */
const START_MS = 60_000;
/** On TERM it hands its shards over first; after this it is stuck. */
const STOP_MS = 20_000;
/** What `namespace create` gives when nobody says otherwise; the worker makes it longer. */
const RETENTION = '72h';

/**
 * Starts the full Temporal server on 127.0.0.1 with a Postgres of its own, as docker-compose.yml does with images: its
 * configuration template, its environment of the service `temporal`, its dynamic configuration, its schema commands and
 * its namespace. Answers when the namespace is there; search attributes are the worker's to add.
 */
export async function startTemporalCluster({ dir, log }: StartCluster): Promise<TemporalCluster> {
  const tools = await ensureServer(log);
  const temporal = await ensureTemporal(log);
  await mkdir(dir, { recursive: true });
  const postgres = await startPostgres({ dir: join(dir, 'postgres'), persistent: false, log });
  const port = await lowPort();
  const address = `127.0.0.1:${port}`;
  let current: ProcessId | undefined;
  const start = async (env: NodeJS.ProcessEnv): Promise<ProcessId> => {
    // each time, as `docker compose up` does
    for (const [name, schema] of Object.entries(DATABASES))
      await ensureSchema(tools, new URL(postgres.url), name, schema);
    const { id, exited } = await spawnServer(tools, env, join(dir, 'server.log'));
    current = id;
    await Promise.race([serving(temporal, address), exited]);
    return id;
  };
  const stop = async (): Promise<void> => {
    if (current !== undefined) await endProcess(current, STOP_MS);
    await postgres.stop();
  };
  try {
    const env = await environment({ dir, port, database: new URL(postgres.url) });
    let running = await start(env);
    log(`temporal with Postgres at ${address}`);
    return {
      address,
      databaseUrl: (name) => Object.assign(new URL(postgres.url), { pathname: `/${name}` }).href,
      get pid() {
        return running.pid;
      },
      get process() {
        return running;
      },
      stop,
      async kill() {
        sendSignal(running, 'SIGKILL');
        await endProcess(running, STOP_MS);
      },
      async restart() {
        await endProcess(running, STOP_MS);
        running = await start(env);
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What docker-compose.yml sets, with this machine's addresses in place of the containers'. */
async function environment({ dir, port, database }: { dir: string; port: number; database: URL }) {
  const compose = parse(await readFile(COMPOSE_FILE, 'utf8'), { merge: true }) as ComposeFile;
  const dynamic = join(dir, 'dynamic-config.yaml');
  await writeFile(dynamic, compose.configs.temporal_dynamic_config.content);
  const ports: Record<string, string> = { FRONTEND_GRPC_PORT: `${port}` };
  for (const name of PORTS) ports[name] = `${await lowPort()}`;
  return {
    ...process.env,
    ...compose.services.temporal.environment,
    ...ports,
    BIND_ON_IP: '127.0.0.1',
    POSTGRES_SEEDS: database.hostname,
    DB_PORT: database.port,
    VISIBILITY_DB_PORT: database.port,
    POSTGRES_USER: database.username,
    POSTGRES_PWD: database.password,
    DYNAMIC_CONFIG_FILE_PATH: dynamic,
    LOG_LEVEL: 'error',
  };
}

interface ComposeFile {
  services: { temporal: { environment: Record<string, string> } };
  configs: { temporal_dynamic_config: { content: string } };
}

/** Creates the database and its schema, or brings them up to date; what is there stays. */
async function ensureSchema(tools: ServerTools, database: URL, name: string, schema: string) {
  const place = ['--plugin', 'postgres12', '--ep', database.hostname, '-p', database.port];
  const sql = (...args: string[]) =>
    run(tools.sql, [...place, '-u', database.username, '--db', name, ...args], {
      env: { ...process.env, SQL_PASSWORD: database.password },
    });
  await sql('create');
  await sql('setup-schema', '-v', '0.0');
  await sql('update-schema', '-d', join(tools.root, 'schema/postgresql/v12', schema, 'versioned'));
}

async function spawnServer({ server, root }: ServerTools, env: NodeJS.ProcessEnv, logFile: string) {
  const sink = await open(logFile, 'a');
  const args = ['--root', root, '--config', 'config', '--env', 'docker', 'start'];
  const [program = server, ...rest] = diesWithParent('TERM', [server, ...args]);
  // A session of its own: Ctrl-C is for the owner, who stops its services in order.
  const child = spawn(program, rest, { stdio: ['ignore', sink.fd, sink.fd], detached: true, env });
  await once(child, 'spawn');
  await sink.close();
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`the temporal server ended with ${code}, see ${logFile}`);
  });
  exited.catch(() => undefined);
  return { id: processId(child.pid as number), exited };
}

async function lowPort(): Promise<number> {
  const port = randomInt(LOWEST_PORT, PORTS_BELOW);
  return (await freePort(port)) === port ? port : lowPort();
}

/** Ready when its namespace is served, which is some seconds after its creation. */
async function serving(temporal: string, address: string): Promise<void> {
  const ask = async (...args: string[]) => {
    const place = ['--namespace', 'default', '--address', address];
    return (await run(temporal, [...args, ...place], { timeout: START_MS, check: false })).code === 0;
  };
  await pollUntil({
    what: `temporal at ${address} serves`,
    deadlineMs: START_MS,
    everyMs: 100, // each try is a process of its own
    probe: async () => {
      if (await ask('workflow', 'count')) return true;
      await ask('operator', 'namespace', 'create', '--retention', RETENTION);
      return undefined;
    },
  });
}
