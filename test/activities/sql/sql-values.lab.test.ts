import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { createConnection } from 'mysql2/promise';
import postgresjs from 'postgres';
import { createSqlActivities } from '../../../activities/clients/database/activities.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';
import {
  clientNames,
  clientRow,
  connectionsOf,
  emptyWorld,
  newOperation,
  noSsh,
  serverRow,
  stepContext,
} from '../fake-connections.js';
import { startDebianPostgres, startMariadb, type TestEngine } from './sql-engines.js';

/** a network that this machine's loopback is in, so that the client's own login can be tried */
const HOME = '127.0.0.0/28';
/** Each run makes statements on a real server; these many meet every special character of the alphabet below. */
const RUNS = { numRuns: 60 };

const special = fc.constantFrom(
  "'",
  '"',
  '\\',
  '`',
  '$',
  ';',
  '--',
  '/*',
  '%',
  '_',
  '\n',
  '\r',
  '\t',
  '\u001a',
  '{{',
  '<%',
  '😀',
  '‮',
  '\u2028',
);
/** Well-formed text without NUL, which no engine takes: what the API lets through. */
const text = fc
  .array(fc.oneof(special, fc.string({ unit: 'grapheme', maxLength: 5 })), { maxLength: 12 })
  .map((parts) => parts.join('').replaceAll('\0', ''));

for (const [engine, start] of [
  ['mariadb', startMariadb],
  ['postgres', startDebianPostgres],
] as const) {
  describe(`any value on ${engine}`, () => {
    let server: TestEngine;
    const world = emptyWorld();
    const sql = createSqlActivities(connectionsOf(world, noSsh));
    const operation = newOperation();
    const step = stepContext(operation);
    const thing = { names: clientNames({ clientId: 7, subnet: HOME }), operation };

    before(async () => {
      server = await start();
      world.secrets.set('sql-password', server.password);
      world.servers.set(1, serverRow({ sqlEngine: engine, sqlPort: server.port, sqlUser: server.user }));
    });
    after(() => server.stop());

    it('is the password that was given, and nothing else is', async () => {
      const password = text.filter((value) => value !== '' && value === value.normalize('NFKC'));
      const check = async (given: string): Promise<void> => {
        world.secrets.set('db-password', given);
        await sql.ensureDatabase(thing, step);
        assert.deepEqual(await ask(given, 'SELECT 1 AS value'), ['1']);
        await assert.rejects(ask(`${given}x`, 'SELECT 1 AS value'));
      };
      await fc.assert(fc.asyncProperty(password, check), { numRuns: 25 });
    });

    it('comes back from the settings as it went in', async () => {
      world.secrets.set('db-password', 'plain');
      await sql.ensureDatabase(thing, step);
      const check = async (config: string, license: string): Promise<void> => {
        world.clients.set(7, clientRow({ id: 7, config, license }));
        await sql.writeCloudSettings(thing, step);
        const query = (name: string) => `SELECT value FROM cloud_settings WHERE name = '${name}'`;
        assert.deepEqual(await ask('plain', query('config')), [config]);
        assert.deepEqual(await ask('plain', query('license')), [license]);
        assert.deepEqual(await ask('plain', 'SELECT COUNT(*) AS value FROM cloud_settings'), ['8']);
      };
      await fc.assert(fc.asyncProperty(text, text, check), RUNS);
    });

    it('that is no plain name never names a database or a user', async () => {
      const name = text.filter((value) => !/^[a-z][a-z0-9_]{0,62}$/.test(value));
      const before = await everything();
      const check = async (bad: string): Promise<void> => {
        const names = { ...thing.names, name: bad };
        for (const act of [
          sql.surveyDatabase,
          sql.ensureDatabase,
          sql.writeCloudSettings,
          sql.removeDatabase,
        ]) {
          await assert.rejects(act({ names, operation }, step), (error) => kindOf(error) === 'InvalidInput');
        }
      };
      await fc.assert(fc.asyncProperty(name, check), RUNS);
      assert.deepEqual(await everything(), before);
    });

    /** One column named `value`, as the client's own user. */
    async function ask(password: string, query: string): Promise<string[]> {
      const login = {
        host: '127.0.0.1',
        port: server.port,
        user: thing.names.name,
        password,
        database: thing.names.name,
      };
      if (engine === 'postgres') {
        const db = postgresjs({ ...login, max: 1 });
        return db
          .unsafe(query)
          .then((rows) => rows.map((row) => String(row['value'])))
          .finally(() => db.end());
      }
      const db = await createConnection(login);
      const [rows] = await db.query(query).finally(() => db.end());
      return (rows as { value: unknown }[]).map(({ value }) => String(value));
    }

    async function everything(): Promise<string[][]> {
      return server.admin(
        engine === 'mariadb'
          ? 'SELECT SCHEMA_NAME FROM information_schema.SCHEMATA UNION ALL SELECT User FROM mysql.user ORDER BY 1'
          : 'SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles ORDER BY 1',
      );
    }
  });
}
