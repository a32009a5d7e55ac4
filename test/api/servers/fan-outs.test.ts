import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { auditLog, operations } from '../../../db/schema/index.js';
import type { FanOutRules } from '../../../workflows/contract/operation/fan-out.js';
import { type CallOptions, type Harness, openHarness, pollUntil } from '../harness.js';

interface Answer {
  id: number | string;
  operation: { id: string; kind: string; href: string };
  errors?: { field: string; message: string }[];
  code?: string;
}

const DEFAULTS: FanOutRules = { window: 2, canary: 1, stopAfterFailures: 20 };

describe('what is done to all clients of a server, or of the fleet', { concurrency: 1 }, () => {
  let api: Harness;
  let serverId: number;
  let hosts = 0;

  before(async () => {
    api = await openHarness({ temporal: 'worker' });
    serverId = await addServer();
  });
  after(() => api?.close());

  async function addServer(): Promise<number> {
    const form = {
      name: 'web-1',
      host: `10.4.0.${(hosts += 1)}`,
      domain: 'clients.example.test',
      sql_user: 'backend',
      sql_password: 'sql secret',
      ssh_host_key: `SHA256:${'b'.repeat(43)}`,
    };
    const answer = await api.call('POST', '/servers/', { form });
    assert.equal(answer.status, 201, await answer.clone().text());
    return ((await answer.json()) as { id: number }).id;
  }

  async function ask(method: string, path: string, init: CallOptions = {}) {
    const response = await api.call(method, path, init);
    return { status: response.status, response, body: (await response.json()) as Answer };
  }

  const rowOf = async (id: string) =>
    (await api.db.select().from(operations).where(eq(operations.id, id)))[0];

  /** Runs, and ends at once: the next start finds the subject free. */
  async function started(method: string, path: string, init: CallOptions = {}) {
    const { status, response, body } = await ask(method, path, init);
    assert.equal(status, 202, JSON.stringify(body));
    assert.equal(response.headers.get('location'), body.operation.href);
    assert.equal(response.headers.get('cache-control'), 'no-store');
    const row = await rowOf(body.operation.id);
    assert.ok(row);
    await finish(row.subject, row.id);
    const { params } = row.input as { params: unknown };
    return { body, row, params };
  }

  async function finish(subject: string, id: string): Promise<void> {
    await pollUntil(async () => (await rowOf(id))?.state === 'running');
    const handle = api.temporal.client.workflow.getHandle(subject);
    await handle.signal('finish');
    // then the subject is free, however busy the machine is
    await handle.result();
  }

  const operationsCount = () => api.db.$count(operations);

  it('starts by GET and by POST alike, with and without a trailing slash, on /server and on /servers', async () => {
    const paths: [string, string, string, object][] = [
      [
        '/server/{id}/switch_all/1.4-master',
        'switch_all',
        `server:${serverId}`,
        { versionTag: '1.4-master', force: false },
      ],
      ['/server/{id}/migrate_all', 'migrate_all', `server:${serverId}`, {}],
      ['/servers/{id}/deploy/', 'deploy_server', `server:${serverId}`, {}],
      ['/clients/reconfigurate', 'reconfigurate', 'fleet:reconfigurate', {}],
    ];
    for (const method of ['GET', 'POST']) {
      for (const [path, kind, subject, own] of paths) {
        const { body, row, params } = await started(method, path.replace('{id}', String(serverId)));
        assert.deepEqual([row.kind, row.subject, body.operation.kind], [kind, subject, kind]);
        const onServer = kind === 'reconfigurate' ? {} : { serverId };
        assert.deepEqual(params, { ...onServer, ...own, rules: DEFAULTS });
        assert.equal(body.id, kind === 'reconfigurate' ? 'reconfigurate' : serverId);
        assert.deepEqual(row.places, kind === 'reconfigurate' ? [] : [`server:${serverId}`]);
        const audit = await api.db.select().from(auditLog).where(eq(auditLog.operationId, row.id));
        assert.equal(audit.length, 1);
      }
    }
  });

  it('takes window, canary and stop_after_failures in the query, as form fields and in JSON', async () => {
    const path = `/servers/${serverId}/switch_all/1.4-master`;
    const given = { window: '5', canary: '0', stop_after_failures: '100', force: 'true' };
    const rules = { window: 5, canary: 0, stopAfterFailures: 100 };
    const expected = { serverId, versionTag: '1.4-master', force: true, rules };
    const query = new URLSearchParams(given).toString();
    assert.deepEqual((await started('GET', `${path}?${query}`)).params, expected);
    assert.deepEqual((await started('POST', path, { form: given })).params, expected);
    const json = { window: 5, canary: 0, stop_after_failures: 100, force: true };
    assert.deepEqual((await started('POST', path, { json })).params, expected);
    // the body stands before the query, and an empty field is an absent one
    const mixed = await started('POST', `${path}?window=3&canary=2`, { form: { window: '4', canary: '' } });
    assert.deepEqual((mixed.params as { rules: object }).rules, { ...DEFAULTS, window: 4, canary: 2 });
  });

  it('takes an image with its tag, URL-encoded', async () => {
    const path = `/servers/${serverId}/switch_all/${encodeURIComponent('team/product:1.4-master')}`;
    const { params } = await started('GET', path);
    assert.deepEqual(params, {
      serverId,
      versionTag: '1.4-master',
      image: 'team/product',
      force: false,
      rules: DEFAULTS,
    });
  });

  it('carries on_failure and hold_window to the operation', async () => {
    const { row } = await started('GET', `/server/${serverId}/migrate_all?on_failure=rollback&hold_window=7`);
    const { operation } = row.input as { operation: { onFailure: string; holdWindowMs: number } };
    assert.deepEqual([operation.onFailure, operation.holdWindowMs], ['rollback', 420_000]);
  });

  it('refuses bad input with the name of each field, and starts nothing', async () => {
    const before = await operationsCount();
    const paths = [
      `/servers/${serverId}/switch_all/1.4-master`,
      `/servers/${serverId}/migrate_all`,
      `/servers/${serverId}/deploy`,
      '/clients/reconfigurate',
    ];
    const bad: [string, string][] = [
      ['window', '0'],
      ['window', '51'],
      ['window', '1.5'],
      ['window', 'many'],
      ['canary', '-1'],
      ['canary', '5001'],
      ['stop_after_failures', '101'],
      ['stop_after_failures', '20%'],
      ['on_failure', 'never'],
      ['hold_window', '-1'],
      ['plan', 'perhaps'],
    ];
    for (const path of paths) {
      for (const [field, value] of bad) {
        const query = new URLSearchParams({ [field]: value }).toString();
        const asked = [await ask('GET', `${path}?${query}`), await ask('POST', `${path}?${query}`)];
        if (!['on_failure', 'hold_window', 'plan'].includes(field))
          asked.push(await ask('POST', path, { form: { [field]: value } }));
        for (const { status, body } of asked) {
          assert.equal(status, 422, `${path} ${field}=${value}: ${JSON.stringify(body)}`);
          assert.deepEqual(
            body.errors?.map((error) => error.field),
            [field],
          );
        }
      }
      const twice = await ask('GET', `${path}?window=1&window=2`);
      assert.deepEqual([twice.status, twice.body.errors?.[0]?.field], [422, 'window']);
      assert.equal((await ask('POST', path, { body: 'window=1' })).status, 415);
    }
    const force = await ask('GET', `${paths[0]}?force=perhaps`);
    assert.deepEqual([force.status, force.body.errors?.[0]?.field], [422, 'force']);
    assert.equal(await operationsCount(), before);
  });

  it('answers 404 for what cannot be a server or a version, and 405 with Allow for other methods', async () => {
    const before = await operationsCount();
    const nothing = [
      '/servers/2000000000/switch_all/1.4-master',
      '/servers/2000000000/migrate_all',
      '/server/2000000000/deploy',
      '/servers/0/deploy',
      '/servers/x/migrate_all',
      '/servers/99999999999/migrate_all',
      `/servers/${serverId}/switch_all/${encodeURIComponent('-rm')}`,
      `/servers/${serverId}/switch_all/${encodeURIComponent('1.4;reboot')}`,
      `/servers/${serverId}/switch_all/${encodeURIComponent('product:')}`,
      `/servers/${serverId}/switch_all/${encodeURIComponent('../x:1')}`,
      `/servers/${serverId}/switch_all/${'x'.repeat(129)}`,
      `/servers/${serverId}/switch_all`,
    ];
    for (const path of nothing) {
      for (const method of ['GET', 'POST']) {
        const { status, body } = await ask(method, path);
        assert.deepEqual([status, body.code], [404, 'not_found'], `${method} ${path}`);
      }
    }
    for (const path of [`/servers/${serverId}/deploy`, '/clients/reconfigurate']) {
      for (const method of ['PUT', 'DELETE', 'HEAD']) {
        const response = await api.call(method, path);
        assert.deepEqual([response.status, response.headers.get('allow')], [405, 'GET, POST'], path);
      }
    }
    assert.equal(await operationsCount(), before);
  });

  it('answers 200 to the same request and 409 with the running operation to any other on the server', async () => {
    const id = await addServer();
    const first = await ask('GET', `/server/${id}/deploy`);
    assert.equal(first.status, 202);
    const again = await ask('GET', `/server/${id}/deploy/`);
    assert.deepEqual([again.status, again.body.operation.id], [200, first.body.operation.id]);
    const before = await operationsCount();
    for (const path of [`/server/${id}/migrate_all`, `/server/${id}/switch_all/1.4-master`]) {
      const { status, body } = await ask('GET', path);
      assert.deepEqual([status, body.code, body.operation.id], [409, 'busy', first.body.operation.id]);
    }
    // the servers' own operations do not keep the fleet's from starting: they are waited for
    await started('GET', '/clients/reconfigurate');
    assert.equal(await operationsCount(), before + 1);
    await finish(`server:${id}`, first.body.operation.id);
  });

  it('is never started by another site or by prefetching, GET included', async () => {
    const before = await operationsCount();
    const path = `/servers/${serverId}/deploy`;
    const foreign = await ask('GET', path, { headers: { 'sec-fetch-site': 'cross-site' } });
    assert.deepEqual([foreign.status, foreign.body.code], [403, 'cross_site']);
    const early = await ask('GET', path, { headers: { 'sec-purpose': 'prefetch' } });
    assert.deepEqual([early.status, early.body.code], [403, 'prefetch']);
    assert.equal(await operationsCount(), before);
  });

  it('shows links to its parts', async () => {
    const { body } = await started('GET', `/servers/${serverId}/deploy`);
    const view = (await (await api.call('GET', body.operation.href)).json()) as { links: object };
    assert.deepEqual(view.links, {
      self: body.operation.href,
      children: `/operations?parent=${body.operation.id}`,
      server: `/servers/${serverId}`,
    });
  });
});
