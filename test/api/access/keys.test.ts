import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq, sql } from 'drizzle-orm';
import { apiKeys, auditLog } from '../../../db/schema/index.js';
import { ADMIN, type Harness, openHarness } from '../harness.js';

interface NewKey {
  id: string;
  key: string;
  scope: string;
}

describe('API keys', () => {
  let api: Harness;
  before(async () => {
    // the list binds the administrator, not tools
    api = await openHarness({ temporal: 'none', settings: { adminAddresses: ['192.0.2.0/24'] } });
  });
  after(() => api.close());

  const make = async (name: string, scope: string, more: object = {}): Promise<NewKey> => {
    const response = await api.call('POST', '/api_keys', { json: { name, scope, ...more } });
    assert.equal(response.status, 201);
    return (await response.json()) as NewKey;
  };
  const withKey = (key: string, method: string, path: string, more: object = {}) =>
    api.call(method, path, { as: null, headers: { 'x-api-key': key }, from: '198.51.100.7', ...more });
  const list = async () => {
    const { data } = (await (await api.call('GET', '/api_keys')).json()) as { data: { id: string }[] };
    return data;
  };
  const rowOf = async (id: string) => (await api.db.select().from(apiKeys).where(eq(apiKeys.id, id)))[0];

  it('log in by x-api-key and by Bearer, from any address', async () => {
    const { key } = await make('both headers', 'read');
    assert.equal((await withKey(key, 'GET', '/clients')).status, 200);
    const bearer = { authorization: `Bearer ${key}` };
    assert.equal((await api.call('GET', '/clients', { as: null, headers: bearer })).status, 200);
    assert.equal((await api.call('GET', '/clients', { from: '198.51.100.7' })).status, 403);
  });

  it('are refused when any character is another', async () => {
    const { key } = await make('changed', 'read');
    const last = key.endsWith('A') ? 'B' : 'A';
    const wrong = [
      key.slice(0, -1) + last,
      `${key}A`,
      key.replace('slipway_', 'slipway_0').slice(0, key.length),
    ];
    for (const other of [...wrong, 'slipway_', '', 'ä', "' or 1=1"]) {
      const answer = await withKey(encodeURI(other), 'GET', '/clients');
      assert.equal(answer.status, 401, other);
    }
  });

  it('are shown once and kept hashed', async () => {
    const { id, key } = await make('hidden', 'admin');
    // its own alphabet has the separator too
    const secret = key.split('_').slice(2).join('_');
    const everything = await api.db.execute(sql`
      select (select json_agg(k)::text from api_keys k) || (select json_agg(a)::text from audit_log a) as text`);
    const stored = String(everything[0]?.['text']);
    assert.ok(stored.includes(id));
    for (const form of [secret, Buffer.from(secret).toString('hex'), Buffer.from(secret).toString('base64')])
      assert.ok(!stored.includes(form));
    assert.ok(!JSON.stringify(await list()).includes(secret));
    await withKey(key, 'GET', '/clients');
    assert.ok(!api.log.join('').includes(secret));
  });

  it('are named, each differently, and refuse what no key can have', async () => {
    await make('twin', 'read');
    const again = await api.call('POST', '/api_keys', { json: { name: 'twin', scope: 'admin' } });
    assert.equal(again.status, 409);
    assert.equal(((await again.json()) as { code: string }).code, 'name_taken');
    for (const wrong of [
      { name: '', scope: 'read' },
      { name: 'x', scope: 'root' },
      { name: 'x', scope: 'login' },
      { name: 'x', scope: 'open' },
      { name: 'x', scope: 'read', expires_at: '2020-01-01' },
      { name: 'x', scope: 'read', expires_at: 'soon' },
    ]) {
      assert.equal((await api.call('POST', '/api_keys', { json: wrong })).status, 422, JSON.stringify(wrong));
    }
  });

  it('are revoked at once, for every process', async () => {
    const other = await openHarness({ temporal: 'none', store: api.store });
    const { id, key } = await make('revoked', 'read');
    const ask = () => other.call('GET', '/clients', { as: null, headers: { 'x-api-key': key } });
    assert.equal((await ask()).status, 200);
    assert.equal((await api.call('DELETE', `/api_keys/${id}`)).status, 204);
    assert.equal((await ask()).status, 401);
    assert.equal((await api.call('DELETE', `/api_keys/${id}`)).status, 404);
    await other.close();
  });

  it('expire', async () => {
    const { id, key } = await make('short', 'read', { expires_at: '2199-01-01' });
    assert.equal((await withKey(key, 'GET', '/clients')).status, 200);
    await api.db.update(apiKeys).set({ expiresAt: new Date() }).where(eq(apiKeys.id, id));
    assert.equal((await withKey(key, 'GET', '/clients')).status, 401);
    assert.ok((await list()).some((entry) => entry.id === id));
  });

  it('have their last use kept, written at most once a minute', async () => {
    const { id, key } = await make('used', 'read');
    assert.equal((await rowOf(id))?.lastUsedAt, null);
    await withKey(key, 'GET', '/clients');
    const first = (await rowOf(id))?.lastUsedAt;
    assert.ok(first && Date.now() - first.getTime() < 10_000);
    await withKey(key, 'GET', '/clients');
    assert.deepEqual((await rowOf(id))?.lastUsedAt, first);
    const earlier = new Date(Date.now() - 61_000);
    await api.db.update(apiKeys).set({ lastUsedAt: earlier }).where(eq(apiKeys.id, id));
    await withKey(key, 'GET', '/clients');
    assert.ok(((await rowOf(id))?.lastUsedAt?.getTime() ?? 0) > earlier.getTime() + 50_000);
  });

  it('act under their id, which the audit log finds', async () => {
    const { id, key } = await make('actor', 'admin');
    const response = await withKey(key, 'POST', '/api_keys', { json: { name: 'made by it', scope: 'read' } });
    assert.equal(response.status, 201);
    const found = await withKey(key, 'GET', `/audit?actor=key:${id}`);
    const { data } = (await found.json()) as {
      data: { actor: string; address: string; outcome: string; detail: unknown }[];
    };
    assert.deepEqual(
      data.map(({ actor, address, outcome, detail }) => ({ actor, address, outcome, detail })),
      [
        {
          actor: `key:${id}`,
          address: '198.51.100.7',
          outcome: 'created',
          detail: { name: 'made by it', scope: 'read' },
        },
      ],
    );
  });

  it('cannot change the password of the administrator, whatever their scope', async () => {
    const { key } = await make('climber', 'admin');
    const form = { password: 'a password of my own', confirm_password: 'a password of my own' };
    const response = await withKey(key, 'POST', '/cloud_admin_password', { form });
    assert.equal(response.status, 403);
    assert.equal((await api.call('GET', '/clients', { as: ADMIN })).status, 200);
  });
});

describe('GET /audit', () => {
  let api: Harness;
  before(async () => {
    api = await openHarness({ temporal: 'none' });
    const entry = { address: '192.0.2.1', requestId: 'r', outcome: 'done' };
    await api.db.insert(auditLog).values([
      { ...entry, time: new Date('2031-01-01T00:00:00Z'), actor: 'key:A', route: 'POST /clients' },
      { ...entry, time: new Date('2031-01-02T00:00:00Z'), actor: 'key:A', route: 'DELETE /clients/1' },
      {
        ...entry,
        time: new Date('2031-01-03T00:00:00Z'),
        actor: 'key:B',
        route: 'POST /clients/1/x%',
        operationId: 'O',
      },
    ]);
  });
  after(() => api.close());

  const routes = async (query: string) => {
    const response = await api.call('GET', `/audit?${query}`);
    assert.equal(response.status, 200);
    const { data } = (await response.json()) as { data: { route: string }[] };
    return data.map(({ route }) => route);
  };

  it('filters by actor, operation, beginning of the route and time', async () => {
    assert.deepEqual(await routes('actor=key:A'), ['DELETE /clients/1', 'POST /clients']);
    assert.deepEqual(await routes('operation=O'), ['POST /clients/1/x%']);
    assert.deepEqual(await routes('route=POST%20/clients'), ['POST /clients/1/x%', 'POST /clients']);
    assert.deepEqual(await routes('route=%25'), [], 'a percent sign means itself');
    assert.deepEqual(await routes('from=2031-01-02&to=2031-01-03T00:00:00Z'), ['DELETE /clients/1']);
    assert.equal((await api.call('GET', '/audit?from=yesterday')).status, 422);
  });

  it('goes from page to page by its Link header', async () => {
    const seen: string[] = [];
    let next: string | undefined = '/audit?from=2031-01-01&limit=1';
    while (next !== undefined) {
      const response: Response = await api.call('GET', next);
      const { data } = (await response.json()) as { data: { route: string }[] };
      seen.push(...data.map(({ route }) => route));
      next = /<([^>]+)>; rel="next"/.exec(response.headers.get('link') ?? '')?.[1];
    }
    assert.deepEqual(seen, ['POST /clients/1/x%', 'DELETE /clients/1', 'POST /clients']);
  });
});
