import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import postgresjs from 'postgres';
import { failure } from '../../workflows/contract/operation/failures.js';
import { databasesOf } from '../../workflows/contract/clients/databases.js';
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
  type SpareDatabase,
  type Unrestorable,
  spareInTheWay,
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
    makeSpare: (thing) => makeSpare(sql, within, thing),
    drop: (thing) => drop(sql, thing),
    writeCloudSettings: ({ name, database }, settings) =>
      within(checkIdentifier(database), (inside) => writeCloudSettings(inside, name, settings)),
    readCloudSettings: ({ database }, keys) =>
      within(checkIdentifier(database), async (inside) => {
        const found =
          await inside`SELECT name, value FROM public.cloud_settings WHERE name IN ${inside(keys)}`;
        return settingsRead(keys, found);
      }),
    measure: async (database) => {
      const [found] = await sql<{ size: string; directory: string | null }[]>`
        SELECT coalesce(sum(pg_database_size(oid)), 0) AS size,
          (SELECT setting FROM pg_settings WHERE name = 'data_directory') AS directory
        FROM pg_database WHERE datname = ${database}`;
      return { sizeBytes: Number(found?.size), directory: found?.directory ?? '' };
    },
    // its networks are pg_hba.conf's matter
    admit: async ({ database, operation }) => {
      const [found] = await sql<{ mark: string | null }[]>`
        SELECT shobj_description(oid, 'pg_database') AS mark FROM pg_database WHERE datname = ${database}`;
      if (found?.mark !== mark(operation)) throw failure('Conflict', `database ${database} is not ours`);
    },
    dismiss: async () => undefined,
    restoreCloudSettings: ({ name, database }, settings) =>
      within(checkIdentifier(database), (inside) => restoreCloudSettings(inside, name, settings)),
    recordVersion: ({ name, database }, version) =>
      within(checkIdentifier(database), (inside) => recordVersion(inside, name, version)),
    releasedVersions: ({ database }) => within(checkIdentifier(database), releasedVersions),
    unrestorable: ({ name, database }) =>
      within(checkIdentifier(database), (inside) => unrestorable(inside, name)),
    announce: ({ name, database }, announcement) =>
      within(checkIdentifier(database), (inside) => announce(inside, name, announcement)),
    version: async () => String((await sql`SHOW server_version`)[0]?.['server_version']),
    // which addresses may log in stands in pg_hba.conf, which a remote login cannot read
    openAccounts: async () => [],
  };
}

/** Lower-case, as Postgres' own names are. */
function halfMadeName(operation: string): string {
  return checkIdentifier(`slipway_${operation.toLowerCase()}`);
}

interface Found {
  kind: 'database' | 'role';
  name: string;
  ours: boolean;
}

/** What is there of the client's names, and whether it bears the mark. */
async function find(sql: Sql, { name, operation }: OwnedDatabase): Promise<Found[]> {
  const found = await sql<{ kind: Found['kind']; name: string; mark: string | null }[]>`
    SELECT 'database' AS kind, datname AS name, shobj_description(oid, 'pg_database') AS mark
      FROM pg_database WHERE datname IN ${sql(databasesOf(name))}
    UNION ALL SELECT 'role', rolname, shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = ${name}
    ORDER BY kind, name`;
  return found.map((row) => ({ kind: row.kind, name: row.name, ours: row.mark === mark(operation) }));
}

async function survey(sql: Sql, thing: OwnedDatabase): Promise<string[]> {
  return foreignOf(await find(sql, thing));
}

function foreignOf(found: readonly Found[]): string[] {
  return found
    .filter(({ ours }) => !ours)
    .map(({ kind, name }) => `${kind === 'role' ? 'SQL user' : 'database'} ${name}`);
}

async function ensure(sql: Sql, within: Within, thing: NewDatabase): Promise<void> {
  const found = await find(sql, thing);
  const foreign = foreignOf(found);
  if (foreign.length > 0) throw failure('Conflict', `${foreign.join(', ')}: already there and not ours`);
  const has = (kind: Found['kind']) => found.some((one) => one.kind === kind && one.name === thing.name);
  await ensureRole(sql, thing, has('role'));
  if (has('database')) await dropHalfMade(sql, thing.operation);
  else await createDatabase(sql, thing, thing.name);
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

async function createDatabase(sql: Sql, { name, operation }: OwnedDatabase, database: string): Promise<void> {
  const made = postgresName(halfMadeName(operation));
  const role = postgresName(name);
  const halfMade = await sql`SELECT FROM pg_database WHERE datname = ${halfMadeName(operation)}`;
  // template0: what somebody put into template1 is not the client's
  if (halfMade.length === 0) await sql.unsafe(`CREATE DATABASE ${made} TEMPLATE template0 ENCODING 'UTF8'`);
  await sql.unsafe(`
    COMMENT ON DATABASE ${made} IS ${postgresLiteral(mark(operation))};
    REVOKE CONNECT, TEMPORARY ON DATABASE ${made} FROM PUBLIC;
    GRANT CONNECT, TEMPORARY, CREATE ON DATABASE ${made} TO ${role};
    ALTER DATABASE ${made} RENAME TO ${postgresName(database)}`);
}

/** A late attempt may have begun again after an earlier one had finished. */
async function dropHalfMade(sql: Sql, operation: string): Promise<void> {
  await sql.unsafe(`DROP DATABASE IF EXISTS ${postgresName(halfMadeName(operation))} WITH (FORCE)`);
}

async function makeSpare(sql: Sql, within: Within, thing: SpareDatabase): Promise<void> {
  const { name, database, spare, operation, replaces } = thing;
  const found = await find(sql, thing);
  if (!found.some((one) => one.name === database && one.kind === 'database'))
    throw failure('NotFound', `there is no database ${database}`);
  const there = found.find((one) => one.name === spare);
  if (there !== undefined && !(there.ours && replaces)) throw spareInTheWay(spare, there);
  await drop(sql, { database: spare, operation });
  await createDatabase(sql, { name, operation }, spare);
  await within(checkIdentifier(spare), async (inside) => {
    await openSchema(inside, name);
    await setAlike(inside, { from: database, to: spare });
  });
}

/** Settings of the database, and of roles in it; other roles' rights on it. A value is set first, so that none is quoted here. */
async function setAlike(sql: Sql, { from, to }: { from: string; to: string }): Promise<void> {
  const at = postgresName(to);
  const settings = await sql<{ role: string | null; name: string; value: string }[]>`
    SELECT quote_ident(r.rolname) AS role, split_part(c, '=', 1) AS name, substr(c, strpos(c, '=') + 1) AS value
    FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase AND d.datname = ${from}
      LEFT JOIN pg_roles AS r ON r.oid = s.setrole CROSS JOIN unnest(s.setconfig) AS c`;
  for (const { role, name, value } of settings) {
    const whose = role === null ? `DATABASE ${at}` : `ROLE ${role} IN DATABASE ${at}`;
    await sql`SELECT set_config(${name}, ${value}, false)`;
    await sql.unsafe(`ALTER ${whose} SET ${settingName(name)} FROM CURRENT`);
  }
  const rights = await sql<{ role: string | null; privilege: string; grantable: boolean }[]>`
    SELECT quote_ident(r.rolname) AS role, a.privilege_type AS privilege, a.is_grantable AS grantable
    FROM pg_database AS d CROSS JOIN aclexplode(d.datacl) AS a LEFT JOIN pg_roles AS r ON r.oid = a.grantee
    WHERE d.datname = ${from} AND a.grantee <> d.datdba`;
  for (const { role, privilege, grantable } of rights) {
    const whom = role ?? 'PUBLIC';
    await sql.unsafe(
      `GRANT ${privilege} ON DATABASE ${at} TO ${whom}${grantable ? ' WITH GRANT OPTION' : ''}`,
    );
  }
}

/** One of an extension's has two parts. */
function settingName(name: string): string {
  return name
    .split('.')
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.');
}

async function drop(
  sql: Sql,
  { database, operation }: { database: string; operation: string },
): Promise<Removal> {
  const [there] = await sql<{ mark: string | null }[]>`
    SELECT shobj_description(oid, 'pg_database') AS mark FROM pg_database WHERE datname = ${database}`;
  await dropHalfMade(sql, operation);
  if (there === undefined) return 'absent';
  if (there.mark !== mark(operation)) return 'foreign';
  await sql.unsafe(`DROP DATABASE IF EXISTS ${postgresName(database)} WITH (FORCE)`);
  return 'removed';
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
  const found = await find(sql, thing);
  const ours = found.filter((one) => one.ours);
  const role = ours.some(({ kind }) => kind === 'role') ? postgresName(thing.name) : undefined;
  // the application must not come back while its sessions are ended
  if (role !== undefined) await sql.unsafe(`ALTER ROLE ${role} NOLOGIN`);
  await dropHalfMade(sql, thing.operation);
  for (const { kind, name } of ours)
    if (kind === 'database') await sql.unsafe(`DROP DATABASE IF EXISTS ${postgresName(name)} WITH (FORCE)`);
  if (role !== undefined) await dropRole(sql, thing.name);
  if (ours.length > 0) return 'removed';
  return found.length === 0 ? 'absent' : 'foreign';
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
async function unrestorable(sql: Sql, name: string): Promise<Unrestorable[]> {
  const found = await sql<{ object: string }[]>`
    WITH things (class, oid, kind, name, schema, owner) AS (
      SELECT 'pg_extension'::regclass, oid, 'extension', extname::text, 0::oid, extowner FROM pg_extension
        WHERE extname <> 'plpgsql'
      UNION ALL SELECT 'pg_class'::regclass, oid, 'relation', oid::regclass::text, relnamespace, relowner FROM pg_class
        WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
      UNION ALL SELECT 'pg_proc'::regclass, oid, 'function', oid::regprocedure::text, pronamespace, proowner FROM pg_proc
      UNION ALL SELECT 'pg_type'::regclass, oid, 'type', oid::regtype::text, typnamespace, typowner FROM pg_type
        WHERE typtype IN ('d', 'e', 'r')
      UNION ALL SELECT 'pg_namespace'::regclass, oid, 'schema', nspname::text, oid, nspowner FROM pg_namespace
        WHERE nspname <> 'public')
    SELECT kind || ' ' || things.name AS object FROM things LEFT JOIN pg_namespace AS n ON n.oid = schema
    WHERE pg_get_userbyid(owner) <> ${name} AND coalesce(n.nspname <> 'information_schema' AND n.nspname !~ '^pg_', true)
      AND NOT EXISTS (SELECT FROM pg_depend AS d
        WHERE d.classid = class AND d.objid = things.oid AND d.deptype = 'e')
    ORDER BY object`;
  const objects = found.map(({ object }) => object);
  const cause = `they are not ${name}'s, as whom a backup is restored`;
  return [{ kind: 'Unauthorized', objects, cause, hint: `make ${name} their owner, then retry` }];
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
