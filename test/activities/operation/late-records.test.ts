import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { requireOpen } from '../../../activities/operation/operation-write.js';
import { createClientRecords } from '../../../activities/clients/records/client-records.js';
import { clients, operations, servers } from '../../../db/schema/index.js';
import { createSecrets, parseSecretKeys } from '../../../db/secrets.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';
import { testPostgres, type TestPostgres } from '../../support/postgres.js';
import { tableContents } from '../../support/table-contents.js';
import { newOperation, stepContext } from '../fake-connections.js';

describe("a late attempt at a client's row", () => {
  let postgres: TestPostgres;
  before(async () => {
    postgres = await testPostgres();
  });
  after(() => postgres?.close());

  it('changes nothing once its operation is over, whoever has the client by then', async () => {
    const { db } = postgres.database;
    const [server] = await db
      .insert(servers)
      .values({
        ...{
          name: 'w',
          host: '10.0.0.9',
          domain: 'c.example.test',
          sqlUser: 'u',
          sqlPassword: 'p',
          sqlPort: 3306,
        },
        sqlHost: '10.0.0.9',
        ...{ clientPool: '10.213.0.0/24', product: 'sample' },
      })
      .returning();
    const [client] = await db
      .insert(clients)
      .values({
        ...{ serverId: server?.id ?? 0, status: 'failed' as const, name: 'A', adminLogin: 'a' },
        ...{ email: 'a@b.example', subdomain: 'late', versionTag: '1', billingType: 'demo' },
      })
      .returning();
    const clientId = client?.id ?? 0;
    const id = newOperation();
    await db.insert(operations).values({
      ...{ id, subject: `client:${clientId}`, kind: 'create_client', title: 'Create', state: 'rolled_back' },
      ...{ actor: 'tester', input: {}, endedAt: new Date() },
    });
    const secrets = createSecrets(parseSecretKeys('test key of sufficient length'));
    const records = createClientRecords({ db, secrets, imageOf: (product) => product });
    const before = await tableContents(db);
    const step = stepContext(id);
    for (const late of [
      () => records.reserveClient({ clientId }, step),
      () => records.activateClient({ clientId }, step),
      () => records.markClientDeleting({ clientId }, step),
      () => records.forgetClient({ clientId }, step),
      () => records.releaseClient({ clientId }, step),
    ]) {
      await assert.rejects(late(), (error: Error) => kindOf(error) === 'OperationClosed');
    }
    await assert.rejects(requireOpen(db, step), (error: Error) => kindOf(error) === 'OperationClosed');
    // a plan has none
    await requireOpen(db, stepContext(newOperation()));
    assert.deepEqual(await tableContents(db), before);
  });
});
