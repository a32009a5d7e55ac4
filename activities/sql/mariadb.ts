import { createHash } from 'node:crypto';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
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
  type Rehearser,
  type Removal,
  type SqlEngineDriver,
  type SpareDatabase,
  type Unrestorable,
  spareInTheWay,
  type SqlSession,
  settingsRead,
  settingsToRestore,
} from './engine.js';
import { mariadbGrantName, mariadbHost, mariadbName } from './identifiers.js';
import { mariadbErrorKind } from './mariadb-errors.js';

/** Named one by one: `ALL PRIVILEGES` grows with the server's version beyond what the backend's login holds. */
const GRANTED = [
  'SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, CREATE TEMPORARY TABLES, LOCK TABLES',
  'CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, EXECUTE, EVENT, TRIGGER',
].join(', ');

/**
 * MariaDB ≥ 10.5. A database bears its mark in its COMMENT from CREATE on; an account has no place for one and
 * belongs to the marked database of its name, so it is made after it and removed before it.
 */
export const mariadb: SqlEngineDriver = {
  kindOf: mariadbErrorKind,
  async connect({ host, port, user, password }, signal, act) {
    signal.throwIfAborted();
    const connection = await createConnection({
      host,
      port,
      user,
      password,
      connectTimeout: CONNECT_TIMEOUT_MS,
    });
    const cut = () => connection.destroy();
    signal.addEventListener('abort', cut, { once: true });
    // a lost connection is also an event, which without a listener would end the process
    connection.on('error', () => undefined);
    try {
      // the driver escapes with backslashes, which a server's own sql_mode could have switched off
      await connection.query(
        "SET SESSION sql_mode = 'STRICT_TRANS_TABLES', lock_wait_timeout = ?, wait_timeout = ?",
        [LOCK_TIMEOUT_S, IDLE_SESSION_S],
      );
      return await act(sessionOn(connection));
    } finally {
      signal.removeEventListener('abort', cut);
      await connection.end().catch(() => connection.destroy());
    }
  },
};

function sessionOn(db: Connection): SqlSession {
  return {
    survey: (thing) => survey(db, thing),
    ensure: (thing) => ensure(db, thing),
    remove: (thing) => remove(db, thing),
    makeSpare: (thing) => makeSpare(db, thing),
    drop: (thing) => drop(db, thing),
    measure: (database) => measure(db, database),
    admit: (rehearser) => admit(db, rehearser),
    dismiss: async ({ name, subnets }) => {
      const accounts = subnets.map((subnet) => db.format('?@?', [name, mariadbHost(subnet)]));
      if (accounts.length > 0) await db.query(`DROP USER IF EXISTS ${accounts.join(', ')}`);
    },
    writeCloudSettings: ({ database }, settings) => writeCloudSettings(db, database, settings),
    readCloudSettings: async ({ database }, keys) => {
      const at = `${mariadbName(database)}.cloud_settings`;
      const found = await rows(db, `SELECT name, value FROM ${at} WHERE name IN (?)`, [keys]);
      return settingsRead(keys, found);
    },
    restoreCloudSettings: async ({ database }, settings) => {
      const { set, gone } = settingsToRestore(settings);
      if (set.length > 0) await setCloudSettings(db, database, set);
      const at = `${mariadbName(database)}.cloud_settings`;
      if (gone.length > 0) await db.query(`DELETE FROM ${at} WHERE name IN (?)`, [gone]);
    },
    recordVersion: ({ database }, version) => recordVersion(db, database, version),
    releasedVersions: ({ database }) => releasedVersions(db, database),
    unrestorable: ({ database }) => unrestorable(db, database),
    announce: ({ database }, announcement) => announce(db, database, announcement),
    version: async () => String((await rows(db, 'SELECT VERSION() AS version'))[0]?.['version']),
    openAccounts: () => openAccounts(db),
  };
}

async function rows(db: Connection, text: string, values: unknown[] = []): Promise<RowDataPacket[]> {
  const [found] = await db.query<RowDataPacket[]>(text, values);
  return found;
}

/** The database's comment, or undefined when there is none of that name. */
async function readMark(db: Connection, name: string): Promise<string | undefined> {
  const [found] = await rows(
    db,
    'SELECT SCHEMA_COMMENT AS mark FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?',
    [name],
  );
  return found === undefined ? undefined : String(found['mark']);
}

/** Accounts of that name, as `'name'@'host'` for use in statements. */
async function accountsOf(db: Connection, name: string): Promise<string[]> {
  const found = await rows(db, 'SELECT User AS user, Host AS host FROM mysql.user WHERE User = ?', [name]);
  return found.map((row) => db.format('?@?', [row['user'], row['host']]));
}

interface Found {
  ours: string[];
  foreign: string[];
}

async function findDatabases(db: Connection, { name, operation }: OwnedDatabase): Promise<Found> {
  const found: Found = { ours: [], foreign: [] };
  for (const database of databasesOf(name)) {
    const there = await readMark(db, database);
    if (there !== undefined) found[there === mark(operation) ? 'ours' : 'foreign'].push(database);
  }
  return found;
}

async function survey(db: Connection, thing: OwnedDatabase): Promise<string[]> {
  const { ours, foreign } = await findDatabases(db, thing);
  const accounts = ours.length > 0 ? [] : await accountsOf(db, thing.name);
  return [
    ...foreign.map((database) => `database ${database}`),
    ...accounts.map((account) => `SQL user ${account}`),
  ];
}

async function ensure(db: Connection, thing: NewDatabase): Promise<void> {
  await ensureDatabase(db, thing);
  const account = db.format('?@?', [thing.name, mariadbHost(thing.subnet)]);
  // replaced rather than altered: the account is ours by its database, and may bear an earlier attempt's password
  await db.query(`CREATE OR REPLACE USER ${account} IDENTIFIED BY PASSWORD ?`, [nativeHash(thing.password)]);
  await db.query(`GRANT ${GRANTED} ON ${mariadbGrantName(thing.name)}.* TO ${account}`);
}

async function ensureDatabase(db: Connection, thing: NewDatabase): Promise<void> {
  const foreign = await survey(db, thing);
  if (foreign.length > 0) throw failure('Conflict', `${foreign.join(', ')}: already there and not ours`);
  if ((await readMark(db, thing.name)) !== undefined) return;
  try {
    await db.query(
      `CREATE DATABASE ${mariadbName(thing.name)} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci COMMENT ?`,
      [mark(thing.operation)],
    );
  } catch (error) {
    // an attempt of ours may have been faster
    if (mariadbErrorKind(error) !== 'Conflict' || (await survey(db, thing)).length > 0) throw error;
  }
}

async function remove(db: Connection, thing: OwnedDatabase): Promise<Removal> {
  const { ours, foreign } = await findDatabases(db, thing);
  if (ours.length === 0) return foreign.length === 0 ? 'absent' : 'foreign';
  for (const account of await accountsOf(db, thing.name)) await db.query(`DROP USER IF EXISTS ${account}`);
  await endSessions(db, 'USER ?', [thing.name]);
  for (const database of ours) await dropWhole(db, database);
  return 'removed';
}

async function endSessions(db: Connection, which: 'USER ?' | '?', [whom]: [string | number]): Promise<void> {
  try {
    await db.query(`KILL CONNECTION ${which}`, [whom]);
  } catch (error) {
    // without the right to end them, DROP still succeeds unless one holds a lock, and then says so; one may be gone
    if (!['Unauthorized', 'NotFound'].includes(mariadbErrorKind(error) ?? '')) throw error;
  }
}

/** Tables that refer to each other are dropped in no order that would please them all. */
async function dropWhole(db: Connection, database: string): Promise<void> {
  await db.query('SET SESSION foreign_key_checks = 0');
  await db.query(`DROP DATABASE IF EXISTS ${mariadbName(database)}`);
}

async function measure(db: Connection, database: string): Promise<{ sizeBytes: number; directory: string }> {
  const [found] = await rows(
    db,
    `SELECT COALESCE(SUM(DATA_LENGTH + INDEX_LENGTH), 0) AS size, @@datadir AS directory
       FROM information_schema.TABLES WHERE TABLE_SCHEMA = ?`,
    [database],
  );
  return { sizeBytes: Number(found?.['size']), directory: String(found?.['directory']) };
}

/** An account of its own for that network, which has no rights on anything else. */
async function admit(db: Connection, rehearser: Rehearser): Promise<void> {
  const { name, database, operation, subnet, password } = rehearser;
  if ((await readMark(db, database)) !== mark(operation))
    throw failure('Conflict', `database ${database} is not ours`);
  const account = db.format('?@?', [name, mariadbHost(subnet)]);
  await db.query(`CREATE OR REPLACE USER ${account} IDENTIFIED BY PASSWORD ?`, [nativeHash(password)]);
  await db.query(`GRANT ${GRANTED} ON ${mariadbGrantName(database)}.* TO ${account}`);
}

async function makeSpare(db: Connection, thing: SpareDatabase): Promise<void> {
  const { name, database, spare, operation, replaces } = thing;
  const there = await readMark(db, spare);
  const ours = there === mark(operation);
  if (there !== undefined && !(ours && replaces)) throw spareInTheWay(spare, { ours });
  const [options] = await rows(
    db,
    `SELECT DEFAULT_CHARACTER_SET_NAME AS charset, DEFAULT_COLLATION_NAME AS collation
       FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?`,
    [database],
  );
  if (options === undefined) throw failure('NotFound', `there is no database ${database}`);
  const { charset, collation } = options;
  await dropWhole(db, spare);
  await db.query(
    `CREATE DATABASE ${mariadbName(spare)} CHARACTER SET ${charset} COLLATE ${collation} COMMENT ?`,
    [mark(operation)],
  );
  for (const account of await accountsOf(db, name))
    await db.query(`GRANT ${GRANTED} ON ${mariadbGrantName(spare)}.* TO ${account}`);
  await grantAlike(db, { from: database, to: spare });
}

/** What other accounts may do in the database; the grantee is as statements write it. */
async function grantAlike(db: Connection, { from, to }: { from: string; to: string }): Promise<void> {
  const found = await rows(
    db,
    `SELECT GRANTEE AS grantee, MAX(IS_GRANTABLE) AS grantable,
       GROUP_CONCAT(PRIVILEGE_TYPE ORDER BY PRIVILEGE_TYPE SEPARATOR ', ') AS privileges
     FROM information_schema.SCHEMA_PRIVILEGES WHERE TABLE_SCHEMA IN (?) AND PRIVILEGE_TYPE <> 'USAGE' GROUP BY GRANTEE`,
    [[from, from.replaceAll('_', String.raw`\_`)]],
  );
  for (const { grantee, privileges, grantable } of found) {
    const option = grantable === 'YES' ? ' WITH GRANT OPTION' : '';
    await db.query(`GRANT ${privileges} ON ${mariadbGrantName(to)}.* TO ${grantee}${option}`);
  }
}

async function drop(
  db: Connection,
  { database, operation }: { database: string; operation: string },
): Promise<Removal> {
  const there = await readMark(db, database);
  if (there === undefined) return 'absent';
  if (there !== mark(operation)) return 'foreign';
  const sessions = await rows(db, 'SELECT ID AS id FROM information_schema.PROCESSLIST WHERE DB = ?', [
    database,
  ]);
  for (const { id } of sessions) await endSessions(db, '?', [Number(id)]);
  await dropWhole(db, database);
  return 'removed';
}

async function writeCloudSettings(
  db: Connection,
  name: string,
  { mine, first }: CloudSettings,
): Promise<void> {
  const at = await ensureCloudTables(db, name);
  await setCloudSettings(db, name, Object.entries(mine));
  if (Object.keys(first).length === 0) return;
  await db.query(`INSERT IGNORE INTO ${at}.cloud_settings (name, value) VALUES ?`, [Object.entries(first)]);
}

async function ensureCloudTables(db: Connection, name: string): Promise<string> {
  const at = mariadbName(name);
  await db.query(
    `CREATE TABLE IF NOT EXISTS ${at}.cloud_settings (name varchar(64) PRIMARY KEY, value text)`,
  );
  await db.query(
    `CREATE TABLE IF NOT EXISTS ${at}.cloud_versions
       (version varchar(128) PRIMARY KEY, info text, released_at datetime)`,
  );
  return at;
}

async function recordVersion(db: Connection, name: string, version: string): Promise<void> {
  const at = await ensureCloudTables(db, name);
  await setCloudSettings(db, name, [['version', version]]);
  await db.query(
    `INSERT IGNORE INTO ${at}.cloud_versions (version, info, released_at) VALUES (?, '', UTC_TIMESTAMP())`,
    [version],
  );
}

async function releasedVersions(db: Connection, name: string): Promise<string[]> {
  const [table] = await rows(
    db,
    "SELECT 1 AS found FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = 'cloud_versions'",
    [name],
  );
  if (table === undefined) return [];
  const found = await rows(db, `SELECT version FROM ${mariadbName(name)}.cloud_versions`);
  return found.map((row) => String(row['version']));
}

/** Of the login itself, as USER_PRIVILEGES writes it: others' rights are there too, and help nobody. */
const GRANTEE = `CONCAT('''', LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) -
  CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)) - 1), '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')`;

/** What defines something in a database: its DEFINER, and the text that it runs. Views run none of their own. */
const DEFINED = `(
  SELECT CONCAT('trigger ', TRIGGER_NAME) AS object, DEFINER AS definer, ACTION_STATEMENT AS text
    FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ?
  UNION ALL SELECT CONCAT('view ', TABLE_NAME), DEFINER, '' FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ?
  UNION ALL SELECT CONCAT(LOWER(ROUTINE_TYPE), ' ', ROUTINE_NAME), DEFINER, ROUTINE_DEFINITION
    FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ?
  UNION ALL SELECT CONCAT('event ', EVENT_NAME), DEFINER, EVENT_DEFINITION
    FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ?) AS defined`;

/** With another account as DEFINER only those may make a thing who hold SET USER, or SUPER before 11.0. */
const OF_OTHERS = `definer <> CURRENT_USER() AND NOT EXISTS (
  SELECT 1 FROM information_schema.USER_PRIVILEGES WHERE GRANTEE = ${GRANTEE} AND (PRIVILEGE_TYPE = 'SET USER'
    OR (PRIVILEGE_TYPE = 'SUPER' AND CAST(SUBSTRING_INDEX(VERSION(), '.', 1) AS UNSIGNED) < 11)))`;

async function unrestorable(db: Connection, database: string): Promise<Unrestorable[]> {
  if ((await readMark(db, database)) === undefined)
    throw failure('NotFound', `there is no database ${database}`);
  const those = async (condition: string, values: string[] = []): Promise<string[]> => {
    const found = await rows(db, `SELECT object FROM ${DEFINED} WHERE ${condition} ORDER BY object`, [
      ...[database, database, database, database],
      ...values,
    ]);
    return found.map((row) => String(row['object']));
  };
  const [login] = await rows(db, 'SELECT CURRENT_USER() AS account');
  const account = String(login?.['account']);
  return [
    {
      kind: 'Unauthorized',
      objects: await those(OF_OTHERS),
      cause: `${account} may not make them again for whoever defined them`,
      hint: `GRANT SET USER ON *.* TO ${account}, then retry`,
    },
    {
      kind: 'CommandFailed',
      objects: await those('text REGEXP ?', [String.raw`(^|[^\w$])\`?${database}\`?\s*\.`]),
      cause: 'their text names the database itself, so that in a copy they would act on this one',
      hint: `take "${database}." out of their text, then retry`,
    },
  ];
}

async function setCloudSettings(db: Connection, name: string, entries: [string, string][]): Promise<void> {
  await db.query(
    `INSERT INTO ${mariadbName(name)}.cloud_settings (name, value) VALUES ?
       ON DUPLICATE KEY UPDATE value = VALUES(value)`,
    [entries],
  );
}

async function announce(
  db: Connection,
  name: string,
  announcement: Announcement & { present: boolean },
): Promise<void> {
  const at = await ensureCloudTables(db, name);
  const { version, info, releasedAt, present } = announcement;
  await db.query("SET SESSION time_zone = '+00:00'");
  const moment = releasedAt.toISOString().slice(0, 19).replace('T', ' ');
  await db.query(
    `INSERT INTO ${at}.cloud_versions (version, info, released_at) VALUES (?, ?, ?)
     ON DUPLICATE KEY UPDATE info = VALUES(info), released_at = VALUES(released_at)`,
    [version, info, moment],
  );
  if (present) return;
  await setCloudSettings(db, name, [['update_notice', noticeOf(announcement)]]);
}

async function openAccounts(db: Connection): Promise<string[]> {
  const accounts = await rows(
    db,
    "SELECT CONCAT(User, '@', Host) AS account FROM mysql.user WHERE Host IN ('', '%') AND User = SUBSTRING_INDEX(USER(), '@', 1)",
  );
  return accounts.map((row) => String(row['account']));
}

/** `mysql_native_password`: so that no statement, log or error of the server ever holds the password itself. */
function nativeHash(password: string): string {
  const once = createHash('sha1').update(password).digest();
  return `*${createHash('sha1').update(once).digest('hex').toUpperCase()}`;
}
