import { createHash } from 'node:crypto';
import mysql from 'mysql2';
import { mariadbGrantName, mariadbHost, mariadbName } from '../../activities/sql/identifiers.js';
import { cloudSettingsOf } from '../../activities/clients/database/activities.js';
import type { Client } from '../../activities/clients/connections.js';
import type { ClientThing } from '../../workflows/contract/clients/clients.js';
import { mark } from '../../workflows/contract/operation/ids.js';

const PRIVILEGES =
  'SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, CREATE TEMPORARY TABLES, LOCK TABLES, ' +
  'CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, EXECUTE, EVENT, TRIGGER';
const SESSION = "SET SESSION sql_mode = 'STRICT_TRANS_TABLES', lock_wait_timeout = 20, wait_timeout = 6";

/**
 * The statements of Slipway's three SQL steps, for the command line client. `invocations.ts` compares them with what
 * the SQL server was really asked.
 */
export function surveyStatements({ names }: ClientThing): string {
  return statements([SESSION, readMark(names.name), accounts(names.name)]);
}

export function databaseStatements(
  { names, operation }: ClientThing,
  { password, rerunnable = false }: { password: string; rerunnable?: boolean | undefined },
): string {
  const { name, subnet } = names;
  const account = mysql.format('?@?', [name, mariadbHost(subnet)]);
  const create = `CREATE DATABASE ${rerunnable ? 'IF NOT EXISTS ' : ''}${mariadbName(name)} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci COMMENT ?`;
  return statements([
    SESSION,
    readMark(name),
    accounts(name),
    readMark(name),
    mysql.format(create, [mark(operation)]),
    mysql.format(`CREATE OR REPLACE USER ${account} IDENTIFIED BY PASSWORD ?`, [nativeHash(password)]),
    `GRANT ${PRIVILEGES} ON ${mariadbGrantName(name)}.* TO ${account}`,
  ]);
}

export function settingsStatements({ names }: ClientThing, client: Client): string {
  const at = mariadbName(names.name);
  const { mine, first } = cloudSettingsOf(client);
  const upsert = `INSERT INTO ${at}.cloud_settings (name, value) VALUES ? ON DUPLICATE KEY UPDATE value = VALUES(value)`;
  return statements([
    SESSION,
    `CREATE TABLE IF NOT EXISTS ${at}.cloud_settings (name varchar(64) PRIMARY KEY, value text)`,
    `CREATE TABLE IF NOT EXISTS ${at}.cloud_versions (version varchar(128) PRIMARY KEY, info text, released_at datetime)`,
    mysql.format(upsert, [Object.entries(mine)]),
    mysql.format(`INSERT IGNORE INTO ${at}.cloud_settings (name, value) VALUES ?`, [Object.entries(first)]),
  ]);
}

/** As the server's root, outside of what is timed. */
export function dropStatements({ names }: ClientThing): string {
  const account = mysql.format('?@?', [names.name, mariadbHost(names.subnet)]);
  return statements([`DROP USER IF EXISTS ${account}`, `DROP DATABASE IF EXISTS ${mariadbName(names.name)}`]);
}

function readMark(name: string): string {
  const text = 'SELECT SCHEMA_COMMENT AS mark FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?';
  return mysql.format(text, [name]);
}

function accounts(name: string): string {
  return mysql.format('SELECT User AS user, Host AS host FROM mysql.user WHERE User = ?', [name]);
}

function nativeHash(password: string): string {
  const once = createHash('sha1').update(password).digest();
  return `*${createHash('sha1').update(once).digest('hex').toUpperCase()}`;
}

function statements(texts: string[]): string {
  return texts.map((text) => `${text};\n`).join('');
}
