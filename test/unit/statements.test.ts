import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq, ne, sql } from 'drizzle-orm';
import { findAdmin } from '../../db/queries/admins.js';
import { type Db, openDatabase } from '../../db/database.js';
import { admins } from '../../db/schema/index.js';
import { testPostgres, type TestPostgres } from '../support/postgres.js';

describe('a statement', () => {
  let postgres: TestPostgres;
  before(async () => {
    postgres = await testPostgres();
  });
  after(() => postgres?.close());

  const ask = (db: Db, login: string) => db.select().from(admins).where(eq(admins.login, login));

  it('is never prepared, in a transaction neither: the driver would send it behind one that waits', async () => {
    const { db, close } = openDatabase({ url: postgres.url, poolSize: 1 });
    for (const login of ['one', 'two']) await ask(db, login);
    await findAdmin(db, 'one');
    await db.transaction((tx) => tx.select().from(admins).where(ne(admins.login, 'three')));
    const prepared = await db.execute(
      sql`select count(*)::int as count from pg_prepared_statements where statement like '%from "admins"%'`,
    );
    assert.equal(prepared[0]?.['count'], 0);
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
