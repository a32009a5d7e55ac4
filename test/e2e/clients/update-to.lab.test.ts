import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { auditLog, clients } from '../../../db/schema/index.js';
import { createSecrets, parseSecretKeys } from '../../../db/secrets.js';
import { readClientDatabase } from '../../support/client-database.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { type Answer, openSystem, type System } from '../../support/system.js';

const NEW = '1.4-master';
/** Of a refusal; the API waits somewhat longer. */
const LEAST_MS = 650;

interface Instance {
  id: number;
  subdomain: string;
  token: string;
}

describe("a client's own instance that asks for an update", { skip: noLab }, () => {
  const host = noLab === false ? sharedHost('maria') : (undefined as never);
  let system: System;
  let own: Instance;
  let other: Instance;

  before(async () => {
    system = await openSystem({ slot: 74 });
    const serverId = await system.addServer(host);
    const made = await Promise.all([system.addClient(serverId), system.addClient(serverId)]);
    for (const { operation } of made) assert.match((await system.ended(operation)).state, /^succeeded/);
    [own, other] = (await Promise.all(made.map(({ id }) => instanceOf(id)))) as [Instance, Instance];
    await readClientDatabase(
      host,
      own.id,
      `insert into cloud_versions (version, info) values ('${NEW}', 'better'), ('1.2-master', 'old')`,
    );
  });
  after(() => system?.close());

  async function instanceOf(id: number): Promise<Instance> {
    const { db } = system.database;
    const [row] = await db.select().from(clients).where(eq(clients.id, id));
    assert.ok(row?.names);
    const secrets = createSecrets(parseSecretKeys(system.secretKey));
    const token = (await secrets.reveal(db, row.names.secrets.clientToken)) ?? '';
    const env = (await host.exec(`cat ${row.names.directory}/.env`)).stdout;
    assert.ok(env.includes(`CLOUD_TOKEN=${token}`), 'the instance knows its token');
    return { id, subdomain: row.subdomain, token };
  }

  const ask = (
    token: string,
    path: string,
    { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
  ): Promise<Answer> =>
    system.call(method, path, undefined, { authorization: `Bearer ${token}`, ...headers });

  it('is refused alike, whatever is wrong with what it asks', async () => {
    const cases: [string, string, string][] = [
      ["another client's token", other.token, `/clients/${own.subdomain}/update_to/${NEW}`],
      ['a wrong subdomain', own.token, `/clients/${other.subdomain}/update_to/${NEW}`],
      ['an unknown subdomain', own.token, `/clients/nobody-is-here/update_to/${NEW}`],
      ['no subdomain at all', own.token, `/clients/%27--/update_to/${NEW}`],
      ['an id instead', own.token, `/clients/${own.id}/update_to/${NEW}`],
      ['an unreleased version', own.token, `/clients/${own.subdomain}/update_to/1.5-master`],
      ['a lower version', own.token, `/clients/${own.subdomain}/update_to/1.2-master`],
      ['no version', own.token, `/clients/${own.subdomain}/update_to/%27%3B`],
      ['no token of anybody', 'x'.repeat(48), `/clients/${own.subdomain}/update_to/${NEW}`],
    ];
    const bodies: unknown[] = [];
    for (const [what, token, path] of cases) {
      const began = performance.now();
      const { status, body } = await ask(token, path);
      assert.ok(performance.now() - began >= LEAST_MS, `${what} is refused at once`);
      assert.deepEqual([status, body['code']], [403, 'update_refused'], what);
      const { requestId: _, instance: __, ...rest } = body as Record<string, unknown>;
      bodies.push(rest);
    }
    for (const body of bodies) assert.deepEqual(body, bodies[0]);
    const { body: page } = await system.call('GET', `/operations?client=${own.id}&kind=switch_client`);
    assert.deepEqual(page['data'], []);
  });

  it('may do nothing else by its token, and nothing from another site', async () => {
    const elsewhere = ['/clients', `/clients/${own.id}`, `/clients/${own.id}/switch/${NEW}`, '/backups'];
    for (const path of elsewhere) assert.equal((await ask(own.token, path)).status, 401, path);
    const path = `/clients/${own.subdomain}/update_to/${NEW}`;
    const foreign = await ask(own.token, path, { headers: { 'sec-fetch-site': 'cross-site' } });
    assert.deepEqual([foreign.status, foreign.body['code']], [403, 'cross_site']);
    assert.equal((await ask(own.token, path, { method: 'HEAD' })).status, 405);
  });

  it('is told what is wrong when the panel asks for it', async () => {
    const unreleased = await system.call('POST', `/clients/${own.subdomain}/update_to/1.5-master`);
    assert.deepEqual([unreleased.status, unreleased.body['code']], [422, 'invalid_input']);
    const unknown = await system.call('POST', `/clients/nobody-is-here/update_to/${NEW}`);
    assert.equal(unknown.status, 404);
  });

  it('is switched to a version that it was told of, in its own name', async () => {
    const answer = await ask(own.token, `/clients/${own.subdomain}/update_to/${NEW}`);
    assert.equal(answer.status, 202, JSON.stringify(answer.body));
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    const view = await system.ended((answer.body['operation'] as unknown as { id: string }).id);
    assert.deepEqual([view.state, view.kind, view.actor], ['succeeded', 'switch_client', `client:${own.id}`]);
    const { body: row } = await system.call('GET', `/clients/${own.id}`);
    assert.equal(row['version_tag'], NEW);
    const audit = await system.database.db.select().from(auditLog).where(eq(auditLog.operationId, view.id));
    assert.deepEqual(
      audit.map(({ actor, route }) => [actor, route]),
      [[`client:${own.id}`, `GET /clients/${own.subdomain}/update_to/${NEW}`]],
    );
    const versions = await readClientDatabase(host, own.id, 'select version from cloud_versions order by 1');
    assert.deepEqual(versions, [['1.2-master'], [NEW]]);
  });
});
