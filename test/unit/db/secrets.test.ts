import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import type { Db } from '../../../db/database.js';
import { secrets as table } from '../../../db/schema/index.js';
import { createSecrets, parseSecretKeys } from '../../../db/secrets.js';
import { testPostgres, type TestPostgres } from '../../support/postgres.js';

const VALUE = 'pässword-Zq7Lw2Xv9';
const PLACE = { owner: 'clients/1', name: 'database_password' };

describe('the keys in SECRET_KEY', () => {
  it('are one passphrase, or several of which the first encrypts', () => {
    const one = parseSecretKeys('correct horse');
    assert.deepEqual([one.current, [...one.keys.keys()]], ['k1', ['k1']]);
    const two = parseSecretKeys('new:second phrase,old:first phrase');
    assert.deepEqual([two.current, [...two.keys.keys()]], ['new', ['new', 'old']]);
    assert.ok([...two.keys.values()].every((key) => key.length === 32));
  });

  it('keep colons within a passphrase', () => {
    const [key] = parseSecretKeys('k2:a:b').keys.values();
    assert.deepEqual(key, [...parseSecretKeys('other:a:b').keys.values()][0]);
    assert.notDeepEqual(key, [...parseSecretKeys('k2:a').keys.values()][0]);
  });

  for (const text of ['', ' ', ',', 'k1:', 'k1:a,', 'k1:a,k1:b']) {
    it(`are refused when one is empty or named twice: "${text}"`, () => {
      assert.throws(() => parseSecretKeys(text), /SECRET_KEY/);
    });
  }
});

describe('stored secrets', () => {
  let postgres: TestPostgres;
  let db: Db;
  before(async () => {
    postgres = await testPostgres();
    ({ db } = postgres.database);
  });
  after(() => postgres?.close());

  const secrets = createSecrets(parseSecretKeys('k1:first'));
  const rowOf = async (id: string) => (await db.select().from(table).where(eq(table.id, id)))[0];

  it('come back as they were, and stand nowhere in clear', async () => {
    for (const value of [VALUE, '', 'x'.repeat(10_000), '\u0000\n😀']) {
      const id = await secrets.store(db, PLACE, value);
      assert.equal(await secrets.reveal(db, id), value);
      const row = await rowOf(id);
      if (value.length > 3) assert.ok(!Buffer.from(row?.ciphertext ?? []).includes(value));
      assert.ok(!JSON.stringify({ ...row, ciphertext: '', nonce: '' }).includes(VALUE));
    }
  });

  it('look different each time, under another nonce', async () => {
    const [a, b] = [await secrets.store(db, PLACE, VALUE), await secrets.store(db, PLACE, VALUE)];
    const [first, second] = [await rowOf(a), await rowOf(b)];
    assert.notDeepEqual(first?.nonce, second?.nonce);
    assert.notDeepEqual(first?.ciphertext, second?.ciphertext);
  });

  it('are known to redaction once stored or revealed, in the process that did it', async () => {
    const other = createSecrets(parseSecretKeys('k1:first'));
    const id = await secrets.store(db, PLACE, 'known-to-redaction');
    const line = 'it is known-to-redaction';
    assert.deepEqual([secrets.redact(line), other.redact(line)], ['it is ***', line]);
    await other.reveal(db, id);
    assert.equal(other.redact(line), 'it is ***');
  });

  it('are known to redaction while they are in use, also when they were crowded out', async () => {
    const small = createSecrets(parseSecretKeys('k1:first'), { mostKnown: 2 });
    const owner = 'clients/20';
    await secrets.store(db, { owner, name: 'a' }, 'value-of-twenty');
    assert.equal(await small.learn(db, owner), 1);
    for (const other of ['clients/21', 'clients/22'])
      await small.store(db, { owner: other, name: 'a' }, `value of ${other}`);
    assert.equal(small.redact('value-of-twenty'), 'value-of-twenty');
    await small.keepKnown(db, owner);
    assert.equal(small.redact('value-of-twenty'), '***');
  });

  it('are forgotten some minutes after their owner has gone', async (test) => {
    test.mock.timers.enable({ apis: ['Date'], now: Date.now() });
    const line = 'a: first-of-thirty, b: second-of-thirty';
    const owner = 'clients/30';
    const ids = [
      await secrets.store(db, { owner, name: 'a' }, 'first-of-thirty'),
      await secrets.store(db, { owner, name: 'b' }, 'second-of-thirty'),
    ];
    for (const id of ids) await secrets.erase(db, id);
    assert.equal(secrets.redact(line), 'a: ***, b: ***');
    test.mock.timers.tick(3_600_000);
    await secrets.store(db, PLACE, VALUE);
    assert.equal(secrets.redact(line), line);
  });

  it('cannot be read once a single bit was changed anywhere', async () => {
    const id = await secrets.store(db, PLACE, VALUE);
    const row = await rowOf(id);
    for (const field of ['ciphertext', 'nonce'] as const) {
      const original = Buffer.from(row?.[field] ?? []);
      for (let at = 0; at < original.length; at += 1) {
        const changed = Buffer.from(original);
        changed[at] = (changed[at] ?? 0) ^ 1;
        await db
          .update(table)
          .set({ [field]: changed })
          .where(eq(table.id, id));
        await assert.rejects(secrets.reveal(db, id), `${field} ${at}`);
      }
      const cut = original.subarray(0, original.length - 1);
      await db
        .update(table)
        .set({ [field]: cut })
        .where(eq(table.id, id));
      await assert.rejects(secrets.reveal(db, id), `${field} cut`);
      await db
        .update(table)
        .set({ [field]: original })
        .where(eq(table.id, id));
    }
    assert.equal(await secrets.reveal(db, id), VALUE);
  });

  it('cannot be read with a tag that was cut short', async () => {
    const id = await secrets.store(db, PLACE, VALUE);
    const row = await rowOf(id);
    for (const length of [0, 4, 8, 15]) {
      await db
        .update(table)
        .set({ ciphertext: Buffer.from(row?.ciphertext ?? []).subarray(0, length) })
        .where(eq(table.id, id));
      await assert.rejects(secrets.reveal(db, id), `${length} bytes`);
    }
  });

  it('cannot be moved to another owner, name or id', async () => {
    const id = await secrets.store(db, PLACE, VALUE);
    await db.update(table).set({ owner: 'clients/2' }).where(eq(table.id, id));
    await assert.rejects(secrets.reveal(db, id));
    await db.update(table).set({ owner: PLACE.owner, name: 'other' }).where(eq(table.id, id));
    await assert.rejects(secrets.reveal(db, id));
    await db.update(table).set({ name: PLACE.name, id: 'another-id' }).where(eq(table.id, id));
    await assert.rejects(secrets.reveal(db, 'another-id'));
  });

  it('are read after a rotation, written under the new key, and lost with the old one', async () => {
    const old = await secrets.store(db, PLACE, VALUE);
    const rotated = createSecrets(parseSecretKeys('k2:second,k1:first'));
    assert.equal(await rotated.reveal(db, old), VALUE);
    const fresh = await rotated.store(db, PLACE, VALUE);
    assert.equal((await rowOf(fresh))?.keyId, 'k2');
    const onlyNew = createSecrets(parseSecretKeys('k2:second'));
    assert.equal(await onlyNew.reveal(db, fresh), VALUE);
    await assert.rejects(onlyNew.reveal(db, old), /k1/);
    await assert.rejects(createSecrets(parseSecretKeys('k1:wrong')).reveal(db, old));
  });

  it('are gone once erased, of one name or of a whole owner, and of nobody else', async () => {
    const owner = 'clients/10';
    const [a, b] = [
      await secrets.store(db, { owner, name: 'a' }, VALUE),
      await secrets.store(db, { owner, name: 'b' }, VALUE),
    ];
    const neighbour = await secrets.store(db, { owner: 'clients/100', name: 'a' }, VALUE);
    await secrets.eraseAllOf(db, owner, 'a');
    assert.equal(await secrets.reveal(db, a), undefined);
    assert.equal(await secrets.reveal(db, b), VALUE);
    await secrets.eraseAllOf(db, owner);
    assert.equal(await secrets.reveal(db, b), undefined);
    await secrets.erase(db, 'never-there');
    assert.equal(await secrets.reveal(db, neighbour), VALUE);
  });
});
