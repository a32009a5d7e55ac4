import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import postgresjs from 'postgres';
import { failure } from '../../workflows/contract/operation/failures.js';
import { mark } from '../../workflows/contract/operation/ids.js';
import {
  type Announcement,
  type CloudSettings,
  CONNECT_TIMEOUT_MS,
  IDLE_SESSION_S,
  LOCK_TIMEOUT_S,
  noticeOf,
  type NewDatabase,
  type OwnedDatabase,
  type Removal,
  type SqlEngineDriver,
  type SqlLogin,
  type SqlSession,
  settingsRead,
  settingsToRestore,
} from './engine.js';
import { checkIdentifier, postgresLiteral, postgresName } from './identifiers.js';
import { postgresErrorKind } from './postgres-errors.js';

type Sql = postgresjs.Sql;

/** Opens a database of the server for a while; the maintenance database when none is named. */
type Within = <Result>(database: string, act: (sql: Sql) => Promise<Result>) => Promise<Result>;

/** Every server has it, and it is none of ours. */
const MAINTENANCE = 'postgres';

/**
 * PostgreSQL ≥ 13. A role bears its mark in its COMMENT, made in the same transaction. CREATE DATABASE allows no
 * transaction, so it is made under a name that only this operation uses, marked and closed to others, then renamed.
 * The backend's login is a member of the role: it dumps, writes and drops what the role owns without being superuser.
 */
export const postgres: SqlEngineDriver = {
  kindOf: postgresErrorKind,
  connect: (login, signal, act) => {
    const within: Within = (database, inside) => withDatabase({ ...login, database }, signal, inside);
    return within(MAINTENANCE, (sql) => act(sessionOn(sql, within)));
  },
};

async function withDatabase<Result>(
  { database, ...login }: SqlLogin & { database: string },
  signal: AbortSignal,
  act: (sql: Sql) => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted();
  const sql = postgresjs({
    ...login,
    database,
    max: 1,
    connect_timeout: CONNECT_TIMEOUT_MS / 1000,
    // these two would only add round trips: no arrays are read, no statement is repeated
    fetch_types: false,
    prepare: false,
    onnotice: () => undefined,
    // the driver would make another connection, and go on by it
    onclose: () => void sql.end({ timeout: 0 }),
    connection: {
      application_name: 'slipway',
      lock_timeout: LOCK_TIMEOUT_S * 1000,
      standard_conforming_strings: true,
    },
  });
  const cut = () => void sql.end({ timeout: 0 });
  signal.addEventListener('abort', cut, { once: true });
  try {
    // Postgres 13 has none
    await sql`SELECT set_config(name, ${`${IDLE_SESSION_S}s`}, false) FROM pg_settings WHERE name = 'idle_session_timeout'`;
    return await act(sql);
  } finally {
    signal.removeEventListener('abort', cut);
    // 1 s: there is nothing left to wait for, and a hung server must not hold us
    await sql.end({ timeout: 1 });
  }
}

function sessionOn(sql: Sql, within: Within): SqlSession {
  return {
    survey: (thing) => survey(sql, thing),
    ensure: (thing) => ensure(sql, within, thing),
    remove: (thing) => remove(sql, thing),
    writeCloudSettings: (name, settings) =>
      within(checkIdentifier(name), (inside) => writeCloudSettings(inside, name, settings)),
    readCloudSettings: (name, keys) =>
      within(checkIdentifier(name), async (inside) => {
        const found =
          await inside`SELECT name, value FROM public.cloud_settings WHERE name IN ${inside(keys)}`;
        return settingsRead(keys, found);
      }),
    restoreCloudSettings: (name, settings) =>
      within(checkIdentifier(name), (inside) => restoreCloudSettings(inside, name, settings)),
    recordVersion: (name, version) =>
      within(checkIdentifier(name), (inside) => recordVersion(inside, name, version)),
    releasedVersions: (name) => within(checkIdentifier(name), releasedVersions),
    unrestorable: (name) => within(checkIdentifier(name), (inside) => unrestorable(inside, name)),
    announce: (name, announcement) =>
      within(checkIdentifier(name), (inside) => announce(inside, name, announcement)),
    version: async () => String((await sql`SHOW server_version`)[0]?.['server_version']),
    // which addresses may log in stands in pg_hba.conf, which a remote login cannot read
    openAccounts: async () => [],
  };
}

/** Lower-case, as Postgres' own names are. */
function halfMadeName(operation: string): string {
  return checkIdentifier(`slipway_${operation.toLowerCase()}`);
}

/** Marks of what is there; `null` where there is none, no key where there is nothing of that name. */
async function readMarks(sql: Sql, { name, operation }: OwnedDatabase) {
  const found = await sql<{ kind: 'database' | 'halfMade' | 'role'; mark: string | null }[]>`
    SELECT 'database' AS kind, shobj_description(oid, 'pg_database') AS mark FROM pg_database WHERE datname = ${name}
    UNION ALL SELECT 'halfMade', NULL FROM pg_database WHERE datname = ${halfMadeName(operation)}
    UNION ALL SELECT 'role', shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = ${name}`;
  return new Map(found.map((row) => [row.kind, row.mark]));
}

async function survey(sql: Sql, thing: OwnedDatabase): Promise<string[]> {
  return foreignOf(await readMarks(sql, thing), thing);
}

function foreignOf(
  marks: Awaited<ReturnType<typeof readMarks>>,
  { name, operation }: OwnedDatabase,
): string[] {
  const isForeign = (kind: 'database' | 'role') => marks.has(kind) && marks.get(kind) !== mark(operation);
  return [
    ...(isForeign('database') ? [`database ${name}`] : []),
    ...(isForeign('role') ? [`SQL user ${name}`] : []),
  ];
}

async function ensure(sql: Sql, within: Within, thing: NewDatabase): Promise<void> {
  const marks = await readMarks(sql, thing);
  const foreign = foreignOf(marks, thing);
  if (foreign.length > 0) throw failure('Conflict', `${foreign.join(', ')}: already there and not ours`);
  await ensureRole(sql, thing, marks.has('role'));
  if (marks.has('database')) await dropHalfMade(sql, thing, marks);
  else await createDatabase(sql, thing, marks.has('halfMade'));
  await within(checkIdentifier(thing.name), (inside) => openSchema(inside, thing.name));
}

async function ensureRole(
  sql: Sql,
  { name, operation, password }: NewDatabase,
  exists: boolean,
): Promise<void> {
  const role = postgresName(name);
  const verb = exists ? 'ALTER' : 'CREATE';
  // several statements in one simple query are one transaction
  await sql.unsafe(`
    ${verb} ROLE ${role} LOGIN PASSWORD ${postgresLiteral(scramVerifier(password))};
    COMMENT ON ROLE ${role} IS ${postgresLiteral(mark(operation))};
    GRANT ${role} TO CURRENT_USER`);
}

async function createDatabase(sql: Sql, { name, operation }: NewDatabase, halfMade: boolean): Promise<void> {
  const made = postgresName(halfMadeName(operation));
  const role = postgresName(name);
  // template0: what somebody put into template1 is not the client's
  if (!halfMade) await sql.unsafe(`CREATE DATABASE ${made} TEMPLATE template0 ENCODING 'UTF8'`);
  await sql.unsafe(`
    COMMENT ON DATABASE ${made} IS ${postgresLiteral(mark(operation))};
    REVOKE CONNECT, TEMPORARY ON DATABASE ${made} FROM PUBLIC;
    GRANT CONNECT, TEMPORARY, CREATE ON DATABASE ${made} TO ${role};
    ALTER DATABASE ${made} RENAME TO ${role}`);
}

/** A late attempt may have begun again after an earlier one had finished. */
async function dropHalfMade(
  sql: Sql,
  { operation }: OwnedDatabase,
  marks: ReadonlyMap<string, unknown>,
): Promise<void> {
  if (!marks.has('halfMade')) return;
  await sql.unsafe(`DROP DATABASE IF EXISTS ${postgresName(halfMadeName(operation))} WITH (FORCE)`);
}

async function openSchema(sql: Sql, name: string): Promise<void> {
  await sql.unsafe(`
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    GRANT USAGE, CREATE ON SCHEMA public TO ${postgresName(name)}`);
  // before PostgreSQL 15 the schema belongs to the superuser, and revoking only warns
  const [left] = await sql`SELECT has_schema_privilege('public', 'public', 'CREATE') AS open`;
  if (left?.['open'] !== true) return;
  throw failure(
    'Unauthorized',
    `CREATE on schema public of database ${name} could not be revoked from PUBLIC`,
    {
      hint: 'use PostgreSQL 15 or later, or give the server a superuser as sql_user',
    },
  );
}

async function remove(sql: Sql, thing: OwnedDatabase): Promise<Removal> {
  const marks = await readMarks(sql, thing);
  const ours = (kind: 'database' | 'role') => marks.get(kind) === mark(thing.operation);
  const role = postgresName(thing.name);
  // the application must not come back while its sessions are ended
  if (ours('role')) await sql.unsafe(`ALTER ROLE ${role} NOLOGIN`);
  await dropHalfMade(sql, thing, marks);
  if (ours('database')) await sql.unsafe(`DROP DATABASE IF EXISTS ${role} WITH (FORCE)`);
  if (ours('role')) await dropRole(sql, thing.name);
  if (ours('database') || ours('role') || marks.has('halfMade')) return 'removed';
  return marks.size === 0 ? 'absent' : 'foreign';
}

async function dropRole(sql: Sql, name: string): Promise<void> {
  const role = postgresName(name);
  await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ${name}`;
  // a role can only be emptied by its members, and from PostgreSQL 16 on making it gives no membership
  await sql.unsafe(`GRANT ${role} TO CURRENT_USER; DROP OWNED BY ${role}; DROP ROLE IF EXISTS ${role}`);
}

async function writeCloudSettings(sql: Sql, name: string, { mine, first }: CloudSettings): Promise<void> {
  await sql.begin(async (tx) => {
    await ensureCloudTables(tx, name);
    await setCloudSettings(tx, Object.entries(mine));
    if (Object.keys(first).length === 0) return;
    await tx`
      INSERT INTO cloud_settings ${tx(settingRows(Object.entries(first)))} ON CONFLICT (name) DO NOTHING`;
  });
}

async function ensureCloudTables(tx: postgresjs.TransactionSql, name: string): Promise<void> {
  // as the product's role: it owns the tables, whoever of the two was first to make them
  await tx.unsafe(`
    SET LOCAL ROLE ${postgresName(name)};
    SET LOCAL search_path = public;
    CREATE TABLE IF NOT EXISTS cloud_settings (name varchar(64) PRIMARY KEY, value text);
    CREATE TABLE IF NOT EXISTS cloud_versions
      (version varchar(128) PRIMARY KEY, info text, released_at timestamptz)`);
}

async function recordVersion(sql: Sql, name: string, version: string): Promise<void> {
  await sql.begin(async (tx) => {
    await ensureCloudTables(tx, name);
    await setCloudSettings(tx, [['version', version]]);
    await tx`
      INSERT INTO cloud_versions (version, info, released_at) VALUES (${version}, '', now())
      ON CONFLICT (version) DO NOTHING`;
  });
}

async function releasedVersions(sql: Sql): Promise<string[]> {
  const [table] = await sql`SELECT to_regclass('public.cloud_versions') IS NOT NULL AS found`;
  if (table?.['found'] !== true) return [];
  const found = await sql<{ version: string }[]>`SELECT version FROM public.cloud_versions`;
  return found.map(({ version }) => version);
}

async function restoreCloudSettings(
  sql: Sql,
  name: string,
  settings: Readonly<Record<string, string | null>>,
): Promise<void> {
  const { set, gone } = settingsToRestore(settings);
  await sql.begin(async (tx) => {
    await tx.unsafe(`SET LOCAL ROLE ${postgresName(name)}; SET LOCAL search_path = public`);
    if (set.length > 0) await setCloudSettings(tx, set);
    if (gone.length > 0) await tx`DELETE FROM cloud_settings WHERE name IN ${tx(gone)}`;
  });
}

async function setCloudSettings(
  tx: postgresjs.TransactionSql,
  entries: readonly [string, string][],
): Promise<void> {
  await tx`
    INSERT INTO cloud_settings ${tx(settingRows(entries))}
    ON CONFLICT (name) DO UPDATE SET value = excluded.value`;
}

function settingRows(entries: readonly (readonly [string, string])[]) {
  return entries.map(([name, value]) => ({ name, value }));
}

async function announce(
  sql: Sql,
  name: string,
  announcement: Announcement & { present: boolean },
): Promise<void> {
  const { version, info, releasedAt, present } = announcement;
  await sql.begin(async (tx) => {
    await ensureCloudTables(tx, name);
    // the product may have made the table before, with a column of another kind of time
    await tx.unsafe("SET LOCAL TIME ZONE 'UTC'");
    const moment = releasedAt.toISOString().slice(0, 19).replace('T', ' ');
    await tx`
      INSERT INTO cloud_versions (version, info, released_at) VALUES (${version}, ${info}, ${moment})
      ON CONFLICT (version) DO UPDATE SET info = excluded.info, released_at = excluded.released_at`;
    if (present) return;
    await setCloudSettings(tx, [['update_notice', noticeOf(announcement)]]);
  });
}

/** What belongs to another role than the client's can neither be emptied nor made again as the client's. */
async function unrestorable(sql: Sql, name: string): Promise<string[]> {
  const found = await sql<{ kind: string }[]>`
    SELECT 'extensions' AS kind FROM pg_extension
      WHERE extname <> 'plpgsql' AND pg_get_userbyid(extowner) <> ${name}
    UNION SELECT 'relations' FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND pg_get_userbyid(c.relowner) <> ${name}
        AND NOT EXISTS (SELECT 1 FROM pg_depend AS d
          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY kind`;
  return found.map(({ kind }) => kind);
}

/**
 * What the server itself would store for a password (RFC 5803), so that no statement or log ever holds the password.
 * 4096 rounds and 16 bytes of salt are PostgreSQL's own defaults; generated passwords are ASCII and need no SASLprep.
 */
function scramVerifier(password: string): string {
  const rounds = 4096;
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, rounds, 32, 'sha256');
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${rounds}:${salt.toString('base64')}$${storedKey}:${hmac('Server Key').toString('base64')}`;
}
