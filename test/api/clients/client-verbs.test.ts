import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { auditLog, clientChanges, clients, operations, servers } from '../../../db/schema/index.js';
import type { ClientStatus } from '../../../workflows/contract/clients/statuses.js';
import { type Harness, openHarness } from '../harness.js';

const VERBS = [
  'demo_enable',
  'pause',
  'demo_disable',
  'maintain/1',
  'maintain/0',
  'reboot',
  'send_success',
  'send_expire',
];

describe('managing a client', () => {
  let api: Harness;
  let serverId: number;
  let names = 0;

  before(async () => {
    api = await openHarness({ temporal: 'worker' });
    const [server] = await api.db
      .insert(servers)
      .values({
        ...{ name: 'web', host: '10.1.0.1', domain: 'clients.example.test', product: 'sample' },
        ...{ sqlHost: '10.1.0.1', sqlPort: 3306, sqlUser: 'backend', sqlPassword: '-' },
      })
      .returning();
    serverId = server?.id ?? 0;
  });
  after(() => api?.close());

  async function addClient(status: ClientStatus = 'active'): Promise<number> {
    names += 1;
    const [row] = await api.db
      .insert(clients)
      .values({
        ...{ serverId, status, name: 'Acme', adminLogin: 'jo', subdomain: `verb${names}` },
        ...{ email: 'jo@acme.example', versionTag: '1.3-master', billingType: 'monthly' },
      })
      .returning();
    return row?.id ?? 0;
  }

  it('answers 409 wrong_status where the status does not allow it, and starts nothing', async () => {
    for (const [status, refused] of [
      ['failed', [...VERBS, 'expire_date', '']],
      ['creating', [...VERBS, 'expire_date', '']],
      ['deleting', [...VERBS, 'expire_date', '']],
      ['moving', [...VERBS, 'expire_date', '']],
      ['expired', ['maintain/1', 'maintain/0', 'pause', 'resume']],
      ['maintenance', ['pause', 'resume']],
      ['active', ['resume']],
      ['paused', [...VERBS, 'expire_date', '']],
    ] as const) {
      const id = await addClient(status);
      for (const verb of refused) {
        const response = await send(id, verb);
        const { code } = (await response.json()) as { code: string };
        assert.deepEqual([response.status, code], [409, 'wrong_status'], `${status}: ${verb}`);
      }
      assert.deepEqual(await startedOn(id), []);
    }
  });

  it('starts one operation per verb, by GET and POST alike, whatever allowed status it has', async () => {
    for (const status of ['active', 'maintenance', 'expired'] as const) {
      for (const verb of [...VERBS, 'expire_date', ''].filter(
        (name) =>
          (status === 'active' || name !== 'pause') && (status !== 'expired' || !name.startsWith('maintain')),
      )) {
        const id = await addClient(status);
        const method = id % 2 === 0 ? 'GET' : 'POST';
        const response = await send(id, verb, method);
        assert.equal(response.status, 202, await response.clone().text());
        assert.equal(response.headers.get('cache-control'), 'no-store');
        assert.equal((await startedOn(id)).length, 1);
        // an equal request finds it, another one is told of it
        const again = await send(id, verb, method);
        assert.equal(again.status, 200, await again.clone().text());
        const other = await api.call('DELETE', `/clients/${id}`);
        assert.equal(other.status, 409);
      }
    }
  });

  it('resumes a paused client, and deletes it', async () => {
    const [one, other] = [await addClient('paused'), await addClient('paused')];
    assert.equal((await send(one, 'resume')).status, 202);
    assert.equal((await api.call('DELETE', `/clients/${other}`)).status, 202);
    const { data } = (await (await api.call('GET', '/clients?status=paused&per_page=100')).json()) as {
      data: { id: number; status: string }[];
    };
    assert.ok([one, other].every((id) => data.some((listed) => listed.id === id)));
    assert.ok(data.every(({ status }) => status === 'paused'));
  });

  it('records what an update changes beside the operation, and no value in its input', async () => {
    const id = await addClient();
    const form = { license: 'a licence text', subdomain: `renamed${id}`, phone: '+1', name: 'Acme' };
    const response = await api.call('PUT', `/clients/${id}`, { form });
    assert.equal(response.status, 202);
    const [operation] = await startedOn(id);
    assert.doesNotMatch(JSON.stringify(operation?.input), /a licence text/);
    const [change] = await api.db.select().from(clientChanges).where(eq(clientChanges.clientId, id));
    assert.deepEqual(change?.changes, {
      hostname: `renamed${id}.clients.example.test`,
      license: 'a licence text',
      phone: '+1',
      subdomain: `renamed${id}`,
    });
    const [row] = await api.db.select().from(clients).where(eq(clients.id, id));
    assert.deepEqual([row?.license, row?.phone], ['', ''], 'the row is changed by the operation');
  });

  it('refuses a subdomain that somebody has, and a date that is none', async () => {
    const [one, other] = [await addClient(), await addClient()];
    const [taken] = await api.db.select().from(clients).where(eq(clients.id, other));
    const put = await api.call('PUT', `/clients/${one}`, { form: { subdomain: taken?.subdomain ?? '' } });
    assert.equal(((await put.json()) as { code: string }).code, 'subdomain_taken');
    for (const form of [
      { sender: 'Jo', license_expires_at: 'soon' },
      { sender: 'Jo', license_expires_at: '' },
      { sender: '', license_expires_at: '2031-01-31' },
      { license_expires_at: '2031-01-31' },
    ] as Record<string, string>[]) {
      assert.equal((await api.call('POST', `/clients/${one}/expire_date`, { form })).status, 422);
    }
    assert.deepEqual(await startedOn(one), []);
    assert.equal((await api.call('GET', `/clients/${one}/maintain/2`)).status, 404);
    assert.equal((await api.call('GET', '/clients/2000000000/reboot')).status, 404);
    assert.equal((await api.call('PUT', `/clients/${one}/reboot`)).status, 405);
  });

  it('keeps the sender of an expire date in the audit log', async () => {
    const id = await addClient();
    await send(id, 'expire_date');
    const [entry] = await api.db
      .select()
      .from(auditLog)
      .where(eq(auditLog.subject, `client:${id}`));
    assert.equal((entry?.detail as { sender?: string } | null)?.sender, 'Jo');
  });

  /** `''` is an update. */
  function send(id: number, verb: string, method: 'GET' | 'POST' = 'GET'): Promise<Response> {
    if (verb === '') return api.call('PUT', `/clients/${id}`, { form: { license: 'new' } });
    if (verb === 'expire_date') {
      const form = { sender: 'Jo', license_expires_at: '2031-01-31' };
      return api.call('POST', `/clients/${id}/expire_date`, { form });
    }
    return api.call(method, `/clients/${id}/${verb}`);
  }

  function startedOn(id: number) {
    return api.db
      .select()
      .from(operations)
      .where(eq(operations.subject, `client:${id}`));
  }
});
