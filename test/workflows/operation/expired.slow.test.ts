import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createNightlyActivities } from '../../../activities/operation/sweep-nightly.js';
import { idempotencyKeys } from '../../../db/schema/index.js';
import { testPostgres, type TestPostgres } from '../../support/postgres.js';

const HOUR_MS = 3_600_000;

describe('idempotency keys', () => {
  let postgres: TestPostgres;
  before(async () => {
    postgres = await testPostgres();
  });
  after(() => postgres?.close());

  it('are kept for 24 hours at least', async () => {
    const { db } = postgres.database;
    const used = { route: 'POST /x', actor: 'a', bodyDigest: 'd', operationId: 'o', subjectId: '1' };
    await db.insert(idempotencyKeys).values([
      { ...used, key: 'of-yesterday', createdAt: new Date(Date.now() - 24 * HOUR_MS) },
      { ...used, key: 'old', createdAt: new Date(Date.now() - 31 * 24 * HOUR_MS) },
    ]);
    await createNightlyActivities(db).removeExpired();
    const kept = await db.select({ key: idempotencyKeys.key }).from(idempotencyKeys);
    assert.deepEqual(kept, [{ key: 'of-yesterday' }]);
  });
});
