import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq, inArray, ne, sql } from 'drizzle-orm';
import { findAdmin } from '../../../db/queries/admins.js';
import { type Db, openDatabase, type Queries } from '../../../db/database.js';
import { admins } from '../../../db/schema/index.js';
import { pollUntil } from '../../../process/poll.js';
import { testPostgres, type TestPostgres } from '../../support/postgres.js';

const isLate = ({ cause }: Error) => (cause as { code?: unknown } | undefined)?.code === 'ETIMEDOUT';

describe('a statement', () => {
  let postgres: TestPostgres;
  before(async () => {
    postgres = await testPostgres();
  });
  after(() => postgres?.close());

  const ask = (db: Db, login: string) => db.select().from(admins).where(eq(admins.login, login));

  const preparedOf = async (db: Db) => {
    const [row] = await db.execute<{ count: number }>(
      sql`select count(*)::int as count from pg_prepared_statements where statement like '%from "admins"%'`,
    );
    return row?.count;
  };

  it('is prepared once for each connection, in a transaction too', async () => {
    const { db, close } = openDatabase({ url: postgres.url, poolSize: 1 });
    for (const login of ['one', 'two']) await ask(db, login);
    await findAdmin(db, 'one');
    await db.transaction((tx) => tx.select().from(admins).where(ne(admins.login, 'three')));
    assert.equal(await preparedOf(db), 2);
    await close();
  });

  it('is not prepared where it carries a list of any length', async () => {
    const { db, close } = openDatabase({ url: postgres.url, poolSize: 1 });
    const logins = Array.from({ length: 65 }, (_, index) => `login ${index}`);
    await db.select().from(admins).where(inArray(admins.login, logins));
    assert.equal(await preparedOf(db), 0);
    await close();
  });

  it('waits for a free connection, and never behind one that waits for a lock; so do transactions', async () => {
    const { db, close } = openDatabase({ url: postgres.url, poolSize: 3 });
    const holder = openDatabase({ url: postgres.url, poolSize: 1 });
    const number = (on: Queries, index: number) => on.execute(sql`select ${index}::int as index`);
    // a statement that a connection knows is what the driver would send behind another
    for (const round of [1, 2, 3]) {
      await Promise.all([1, 2, 3].flatMap(() => [ask(db, 'known'), number(db, round)]));
    }
    const { blocked } = await holder.db.transaction(async (tx) => {
      await tx.execute(sql`lock table admins in access exclusive mode`);
      const blocked = [ask(db, 'a'), db.transaction((own) => own.select().from(admins))];
      for (const waits of blocked) waits.catch(() => undefined);
      const free = Array.from({ length: 20 }, (_, index) => [
        number(db, index),
        db.transaction((own) => number(own, index)),
      ]);
      const rows = await Promise.all(free.flat());
      assert.deepEqual(
        rows.map(([row]) => row?.['index']),
        Array.from({ length: 40 }, (_, index) => Math.floor(index / 2)),
      );
      return { blocked };
    });
    await Promise.all(blocked);
    await Promise.all([close(), holder.close()]);
  });

  it('that came too late is not done any more once a connection is free', async () => {
    const { db, close } = openDatabase({ url: postgres.url, poolSize: 1, answerWithinMs: 100 });
    const holder = openDatabase({ url: postgres.url, poolSize: 1 });
    const late = { code: 'ETIMEDOUT' };
    await holder.db.transaction(async (tx) => {
      await tx.execute(sql`lock table admins in access exclusive mode`);
      const admin = { login: 'late', passwordHash: 'hash' };
      const first = assert.rejects(db.select().from(admins), isLate);
      const write = assert.rejects(db.insert(admins).values(admin), isLate);
      const change = assert.rejects(
        db.transaction((own) => own.insert(admins).values({ ...admin, login: 'later' })),
        late,
      );
      await Promise.all([first, write, change]);
    });
    // behind whatever was still waiting
    await db.execute(sql`select 1`);
    const found = await holder.db
      .select()
      .from(admins)
      .where(inArray(admins.login, ['late', 'later']));
    assert.deepEqual(found, []);
    await Promise.all([close(), holder.close()]);
  });

  it('is asked again when the driver gives it the end of the connection before; so is a transaction', async () => {
    const { db, close } = openDatabase({ url: postgres.url, poolSize: 1 });
    const { db: other } = postgres.database;
    const after = {
      statement: () => db.execute(sql`select 1 as one`),
      transaction: () => db.transaction((tx) => tx.execute(sql`select 1 as one`)),
    };
    for (const [what, ask] of Object.entries(after)) {
      const [own] = await db.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`);
      const ended = assert.rejects(db.execute(sql`select pg_sleep(60)`), ({ cause }: Error) => {
        assert.equal((cause as Error & { code?: string }).code, 'CONNECTION_CLOSED');
        return true;
      });
      const running = sql`select from pg_stat_activity
        where pid = ${own?.pid}::int and query like '%sleep%' and state = 'active'`;
      await pollUntil({
        what: 'the statement runs',
        deadlineMs: 10_000,
        probe: async () => (await other.execute(running)).length === 1 || undefined,
      });
      await other.execute(sql`select pg_terminate_backend(${own?.pid}::int)`);
      await ended;
      assert.deepEqual([...(await ask())], [{ one: 1 }], what);
    }
    await close();
  });

  it('that was built once is asked of the transaction of its caller, and with its own values', async () => {
    const { db } = postgres.database;
    const admin = (login: string) => ({ login, passwordHash: `hash of ${login}` });
    await db.insert(admins).values(admin('here'));
    await assert.rejects(
      db.transaction(async (tx) => {
        await tx.insert(admins).values(admin('inside'));
        assert.equal((await findAdmin(tx, 'inside'))?.passwordHash, 'hash of inside');
        assert.equal(await findAdmin(db, 'inside'), undefined);
        throw new Error('taken back');
      }),
      /taken back/,
    );
    assert.equal(await findAdmin(db, 'inside'), undefined);
    assert.equal((await findAdmin(db, 'here'))?.passwordHash, 'hash of here');
  });
});
