import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eq, sql } from 'drizzle-orm';
import { ensureFirstAdmin, resetAdmin } from '../../../api/http/auth/first-admin.js';
import { hashPassword, verifyPassword } from '../../../api/http/auth/password.js';
import { createThrottle } from '../../../api/http/auth/throttle.js';
import { admins, auditLog, loginCounts, operations } from '../../../db/schema/index.js';
import { ADMIN, type Harness, openHarness, pollUntil } from '../harness.js';

const type = (value: string) => ({ 'content-type': value });
const codeOf = async (response: Response) => ((await response.json()) as { code: string }).code;

describe('access and conventions', () => {
  let api: Harness;
  before(async () => {
    api = await openHarness({
      temporal: 'none',
      settings: { trustedProxies: ['10.9.0.0/16'], panelOrigins: ['https://panel.example.test'] },
    });
  });
  after(() => api.close());

  const postFrom = (headers: Record<string, string>) => api.call('POST', '/servers', { headers, json: {} });

  const preflight = (origin: string) =>
    api.call('OPTIONS', '/clients', {
      as: null,
      headers: { origin, 'access-control-request-method': 'POST' },
    });

  const guess = (from: string, login = 'admin', forwarded?: string) =>
    api.call('GET', '/clients', {
      as: { login, password: 'guess' },
      from,
      ...(forwarded === undefined ? {} : { headers: { 'x-forwarded-for': forwarded } }),
    });

  describe('login', () => {
    it('is needed everywhere but for health, also on unknown paths', async () => {
      for (const path of [
        '/clients',
        '/metrics',
        '/docs',
        '/openapi.json',
        '/audit',
        '/nowhere',
        '//clients',
        '/docs/../clients',
      ]) {
        const response = await api.call('GET', path, { as: null });
        assert.equal(response.status, 401, path);
        assert.match(response.headers.get('www-authenticate') ?? '', /^Basic /);
      }
      assert.equal((await api.call('GET', '/health/live', { as: null })).status, 200);
      assert.equal((await api.call('GET', '/clients')).status, 200);
    });

    it('refuses wrong passwords and names alike, and whatever is no Basic credential', async () => {
      const tries = [
        { login: 'admin', password: 'wrong' },
        { login: 'nobody', password: ADMIN.password },
        { login: "admin' or '1'='1", password: 'x' },
        { login: 'admin\0', password: ADMIN.password },
      ];
      for (const as of tries)
        assert.equal((await api.call('GET', '/clients', { as, from: '192.0.2.50' })).status, 401);
      for (const authorization of ['Basic', 'Basic !!!', 'Bearer abc', 'Basic ' + 'A'.repeat(5000)]) {
        assert.equal(
          (await api.call('GET', '/clients', { as: null, headers: { authorization } })).status,
          401,
        );
      }
    });

    it('slows a pair of address and name, and nobody else', async () => {
      for (let i = 0; i < 5; i += 1) assert.equal((await guess('192.0.2.66')).status, 401);
      const slowed = await guess('192.0.2.66');
      assert.equal(slowed.status, 429);
      assert.ok(Number(slowed.headers.get('retry-after')) > 0);
      assert.equal((await guess('192.0.2.67')).status, 401);
      assert.equal((await guess('192.0.2.66', 'other')).status, 401);
    });

    it('slows many guesses at once no less, and those by other processes and from one IPv6 network', async () => {
      const at = (from: string) => api.call('GET', '/clients', { as: { ...ADMIN, password: 'guess' }, from });
      const answers = await Promise.all(Array.from({ length: 12 }, () => at('192.0.2.68')));
      assert.equal(answers.filter(({ status }) => status === 401).length, 5);
      assert.equal(answers.filter(({ status }) => status === 429).length, 7);
      const elsewhere = createThrottle(api.db);
      await assert.rejects(elsewhere.count({ network: '192.0.2.68', login: 'admin' }), {
        code: 'too_many_requests',
      });
      for (let i = 1; i <= 5; i += 1) await at(`2001:db8:0:1::${i}`);
      assert.equal((await at('2001:db8:0:1:ffff::1')).status, 429);
      assert.equal((await at('2001:db8:0:2::1')).status, 401);
    });

    it('never slows an address that lately succeeded by what others try from it', async () => {
      const from = '192.0.2.70';
      assert.equal((await api.call('GET', '/clients', { from })).status, 200);
      for (let i = 0; i < 6; i += 1) await guess(from);
      assert.equal((await guess(from)).status, 429, 'the others are');
      // a process that has not seen the login
      const other = await openHarness({ temporal: 'none', store: api.store });
      assert.equal((await other.call('GET', '/clients', { from })).status, 200);
      await other.close();
      assert.equal((await api.call('GET', '/clients', { from: '192.0.2.71' })).status, 200);
    });

    it('keeps no name that was tried, which may be a password', async () => {
      await guess('192.0.2.72', 'password in the wrong field');
      const rows = await api.db.select().from(loginCounts);
      assert.ok(rows.length > 0);
      assert.ok(!JSON.stringify(rows).includes('wrong field'));
    });

    it('answers alike in time whether the name exists or not', async () => {
      // the quickest of many, because a busy machine makes any single one slow
      const quickest = { admin: Infinity, nobody: Infinity };
      const alike = () => {
        const ratio = quickest.admin / quickest.nobody;
        return ratio > 0.5 && ratio < 2;
      };
      for (let i = 0; i < 5 || (i < 60 && !alike()); i += 1) {
        for (const login of ['admin', 'nobody'] as const) {
          const began = performance.now();
          assert.equal((await guess(`198.18.7.${i}`, login)).status, 401);
          quickest[login] = Math.min(quickest[login], performance.now() - began);
        }
      }
      assert.ok(alike(), JSON.stringify(quickest));
    });

    it('believes forwarded addresses only from trusted proxies', async () => {
      for (let i = 0; i < 5; i += 1) await guess('10.9.0.1', 'proxied', '203.0.113.1');
      assert.equal((await guess('10.9.0.1', 'proxied', '203.0.113.1')).status, 429);
      assert.equal(
        (await guess('10.9.0.1', 'proxied', '198.51.100.9, 203.0.113.1')).status,
        429,
        'the nearest untrusted hop counts',
      );
      assert.equal((await guess('10.9.0.1', 'proxied', '203.0.113.2')).status, 401);
      for (let i = 0; i < 5; i += 1) await guess('192.0.2.80', 'proxied', `203.0.113.${100 + i}`);
      assert.equal(
        (await guess('192.0.2.80', 'proxied', '203.0.113.200')).status,
        429,
        'forged headers change nothing',
      );
    });
  });

  it('changes the password with the one of the request, at once', async () => {
    const next = 'another long password';
    const change = (password: string, confirm: string, as = ADMIN) =>
      api.call('POST', '/cloud_admin_password', { as, form: { password, confirm_password: confirm } });
    assert.equal((await change(next, 'different one')).status, 422);
    assert.equal((await change('short', 'short')).status, 422);
    assert.equal((await change(next, next)).status, 200);
    assert.equal((await api.call('GET', '/clients')).status, 401);
    assert.equal((await change(ADMIN.password, ADMIN.password, { ...ADMIN, password: next })).status, 200);
    const audit = await api.db.select().from(auditLog).where(eq(auditLog.subject, 'admin:admin'));
    assert.ok(audit.filter(({ outcome }) => outcome === 'changed').length >= 2);
    const page = (await (await api.call('GET', '/audit?subject=admin%3Aadmin&limit=1')).json()) as {
      data: unknown[];
      cursor: number;
    };
    assert.equal(page.data.length, 1);
    assert.ok(page.cursor > 0);
    assert.ok(!api.log.join('').includes(next));
  });

  it('makes the first administrator once, and resets it, into a file for its owner only', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'slipway-admin-'));
    try {
      assert.equal(await ensureFirstAdmin({ db: api.db, login: 'second', password: null, dataDir }), null);
      const file = await resetAdmin({ db: api.db, login: 'second', dataDir });
      assert.equal((await stat(file)).mode & 0o777, 0o600);
      const [login = '', password = ''] = (await readFile(file, 'utf8')).trim().split(':');
      assert.equal((await api.call('GET', '/clients', { as: { login, password } })).status, 200);
      const [row] = await api.db.select().from(admins).where(eq(admins.login, 'second'));
      assert.match(row?.passwordHash ?? '', /^scrypt\$/);
      await api.db.delete(admins).where(eq(admins.login, 'second'));
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });

  it('verifies a password only by its own hash', async () => {
    const hash = await hashPassword('päss:wörd');
    assert.equal(await verifyPassword('päss:wörd', hash), true);
    assert.equal(await verifyPassword('päss:word', hash), false);
    assert.equal(await verifyPassword('', null), false);
  });

  describe('other sites', () => {
    it('cannot change anything', async () => {
      const foreign: Record<string, string>[] = [
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
        { origin: 'https://evil.example' },
        { origin: 'null' },
        { origin: 'https://evil.example', 'sec-fetch-site': 'none' },
      ];
      for (const headers of foreign)
        assert.equal(await codeOf(await postFrom(headers)), 'cross_site', JSON.stringify(headers));
      assert.equal(await codeOf(await postFrom({ 'sec-purpose': 'prefetch' })), 'prefetch');
    });

    it('may when they are the panel, or no browser at all', async () => {
      for (const headers of [
        { origin: 'https://panel.example.test', 'sec-fetch-site': 'cross-site' },
        { origin: 'http://localhost' },
        { 'sec-fetch-site': 'same-origin' },
        {},
      ] as Record<string, string>[]) {
        assert.equal(await codeOf(await postFrom(headers)), 'invalid_input', JSON.stringify(headers));
      }
    });

    it('get CORS answers only when they are the panel', async () => {
      const panel = await preflight('https://panel.example.test');
      assert.equal(panel.headers.get('access-control-allow-origin'), 'https://panel.example.test');
      assert.equal(
        (await preflight('https://evil.example')).headers.get('access-control-allow-origin'),
        null,
      );
    });
  });

  describe('methods, paths and bodies', () => {
    it('answers undeclared methods with 405 and Allow', async () => {
      const cases = [
        ['DELETE', '/clients', 'GET, HEAD, POST'],
        ['PATCH', '/clients/1', 'DELETE, GET, HEAD, PUT'],
        ['GET', '/clients/1/admin_password', 'POST'],
        ['HEAD', '/clients/1/admin_password', 'POST'],
        ['GET', '/cloud_admin_password', 'POST'],
        ['POST', '/health/live', 'GET, HEAD'],
      ] as const;
      for (const [method, path, allow] of cases) {
        const response = await api.call(method, path);
        assert.equal(response.status, 405, `${method} ${path}`);
        assert.equal(response.headers.get('allow'), allow);
      }
      assert.equal((await api.call('HEAD', '/clients')).status, 200);
    });

    it('takes trailing slashes and /server for /servers', async () => {
      for (const path of ['/clients/', '/server/', '/server', '/servers//', '/clients/billing_types/']) {
        assert.equal((await api.call('GET', path)).status, 200, path);
      }
      assert.equal((await api.call('GET', '/serverside')).status, 404);
    });

    it('answers 404 to ids that name nothing', async () => {
      for (const id of [
        '0',
        '999999999',
        '99999999999999',
        '-1',
        'abc',
        '1;drop',
        '%00',
        '%2e%2e',
        '1%2f..',
        '1e3',
      ]) {
        assert.equal((await api.call('GET', `/clients/${id}`)).status, 404, id);
        assert.equal((await api.call('GET', `/operations/${id}`)).status, 404, id);
      }
    });

    it('tells unreadable, unsupported, too large and invalid bodies apart', async () => {
      const cases = [
        [400, type('application/json'), '{'],
        [400, type('application/json'), new Uint8Array([0x22, 0xff, 0x22])],
        [400, type('multipart/form-data'), 'no boundary'],
        [415, type('text/plain'), 'name=x'],
        [415, type('application/xml'), '<a/>'],
        [415, { ...type('application/json'), 'content-encoding': 'gzip' }, '{}'],
        [415, type('application/json; charset=latin1'), '{}'],
        [422, type('application/json'), '[]'],
        [422, type('application/json'), 'null'],
        [422, type('application/json; charset=utf-8'), '{}'],
        [422, type('application/x-www-form-urlencoded'), 'name=x'],
        [413, type('application/json'), JSON.stringify({ config: 'x'.repeat(300_000) })],
      ] as const;
      for (const [status, headers, body] of cases) {
        const response = await api.call('POST', '/clients', { headers, body });
        assert.equal(response.status, status, `${JSON.stringify(headers)} ${String(body).slice(0, 20)}`);
        assert.equal(response.headers.get('content-type'), 'application/problem+json');
      }
      assert.equal((await api.call('POST', '/clients')).status, 422);
    });

    it('refuses files, repeated fields and names of the prototype in forms', async () => {
      const form = new FormData();
      form.set('name', new File(['x'], 'x.txt'));
      form.append('subdomain', 'a');
      form.append('subdomain', 'b');
      form.set('__proto__', 'x');
      form.set('constructor', 'x');
      const response = await api.call('POST', '/clients', { body: form });
      assert.equal(response.status, 422);
      const { errors } = (await response.json()) as { errors: { field: string; message: string }[] };
      const messages = Object.fromEntries(errors.map(({ field, message }) => [field, message]));
      assert.equal(messages['name'], 'must be a single text');
      assert.equal(messages['subdomain'], 'is given more than once');
    });

    it('carries request ids and secure headers on every answer', async () => {
      const given = await api.call('GET', '/nowhere', { headers: { 'x-request-id': 'from-the-panel_1' } });
      assert.equal(given.headers.get('x-request-id'), 'from-the-panel_1');
      assert.equal(((await given.json()) as { requestId: string }).requestId, 'from-the-panel_1');
      const made = await api.call('GET', '/clients', {
        as: null,
        headers: { 'x-request-id': 'bad id\u00e9' },
      });
      assert.match(made.headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/);
      assert.equal(made.headers.get('x-content-type-options'), 'nosniff');
      assert.ok(made.headers.get('content-security-policy')?.includes("default-src 'none'"));
      assert.ok(api.log.some((line) => line.includes('"requestId":"from-the-panel_1"')));
    });
  });

  describe('documents', () => {
    it('describe every route, parameter and field, with examples', async () => {
      const document = api.contract.document as unknown as Described;
      assert.equal(document.openapi, '3.1.0');
      const gaps: string[] = [];
      for (const [path, methods] of Object.entries(document.paths)) {
        for (const [method, operation] of Object.entries(methods)) {
          if (!operation.summary || !operation.description) gaps.push(`${method} ${path}`);
          for (const { name, schema, description, example } of operation.parameters ?? []) {
            if (!(description ?? schema.description) || (example ?? schema.example) === undefined)
              gaps.push(`${method} ${path} ${name}`);
          }
        }
      }
      const walk = (schema: Described['components']['schemas'][string], at: string) => {
        for (const [key, field] of Object.entries(schema.properties ?? {})) {
          const leaf =
            field.properties === undefined &&
            field.items === undefined &&
            field.$ref === undefined &&
            field.anyOf === undefined;
          const described =
            field.description !== undefined ||
            field.$ref !== undefined ||
            JSON.stringify(field).includes('$ref');
          if (!described || (leaf && !('example' in field) && !JSON.stringify(field).includes('$ref')))
            gaps.push(`${at}.${key}`);
          walk(field, `${at}.${key}`);
          if (field.items) walk(field.items, `${at}.${key}[]`);
        }
      };
      for (const [name, schema] of Object.entries(document.components.schemas)) walk(schema, name);
      assert.deepEqual(gaps, []);
      assert.deepEqual(Object.keys(document.paths['/clients']?.['post']?.requestBody?.content ?? {}).sort(), [
        'application/json',
        'application/x-www-form-urlencoded',
        'multipart/form-data',
      ]);
    });

    it('serve the page with nothing from elsewhere', async () => {
      const page = await (await api.call('GET', '/docs/')).text();
      assert.ok(!/https?:\/\//.test(page));
      for (const file of ['swagger-ui.css', 'swagger-ui-bundle.js', 'start.js', 'favicon-32x32.png']) {
        assert.equal((await api.call('GET', `/docs/${file}`)).status, 200, file);
      }
      for (const file of ['package.json', '..%2fpackage.json', 'index.html']) {
        assert.equal((await api.call('GET', `/docs/${file}`)).status, 404, file);
      }
    });

    it('count requests by declared route only', async () => {
      await api.call('GET', '/clients/123456');
      await api.call('BREW', '/clients');
      const text = await (await api.call('GET', '/metrics')).text();
      assert.match(
        text,
        /slipway_http_requests_total\{method="GET",route="\/clients\/\{id\}",status="404"\}/,
      );
      assert.ok(!text.includes('123456'));
      assert.ok(!text.includes('BREW'));
    });
  });

  describe('without Temporal', () => {
    it('refuses writes within 3 s, with nothing written, and reads go on', async () => {
      const [server] = await api.db.execute<{ id: number }>(sql`
        insert into servers (name, host, domain, sql_host, sql_port, sql_user, sql_password, product)
        values ('web', 'away.example.test', 'c.example.test', 'h', 3306, 'u', 'x', 'sample') returning id`);
      const form = {
        server_id: String(server?.id),
        name: 'A',
        admin_login: 'a',
        email: 'a@b.example',
        version_tag: '1',
        subdomain: 'away',
      };
      const began = Date.now();
      const response = await api.call('POST', '/clients', { form });
      assert.equal(response.status, 503);
      assert.ok(Date.now() - began < 3_000);
      assert.ok(Number(response.headers.get('retry-after')) > 0);
      assert.equal(await codeOf(response), 'temporal_unavailable');
      assert.equal((await api.db.select().from(operations)).length, 0);
      const shown = (await (await api.call('GET', `/servers/${server?.id}`)).json()) as {
        reachable: boolean;
      };
      assert.equal(shown.reachable, false);
      const ready = await api.call('GET', '/health/ready', { as: null });
      assert.equal(ready.status, 503);
      const { checks } = (await ready.json()) as { checks: Record<string, { ok: boolean }> };
      assert.equal(checks['postgres']?.ok, true);
      assert.equal(checks['temporal']?.ok, false);
    });
  });

  describe('without Postgres', () => {
    it('answers 503 and is back by itself', async () => {
      await api.store.shut();
      const response = await api.call('GET', '/clients');
      assert.equal(response.status, 503);
      const body = await response.text();
      assert.match(body, /database_unavailable/);
      assert.ok(!/select|ECONN|postgres:/i.test(body));
      assert.equal((await api.call('GET', '/health/live', { as: null })).status, 200);
      await api.store.open();
      await pollUntil(async () => (await api.call('GET', '/clients')).status === 200);
    });
  });
});

interface Described {
  openapi: string;
  paths: Record<
    string,
    Record<
      string,
      {
        summary?: string;
        description?: string;
        parameters?: {
          name: string;
          description?: string;
          example?: unknown;
          schema: { description?: string; example?: unknown };
        }[];
        requestBody?: { content: object };
      }
    >
  >;
  components: { schemas: Record<string, DescribedSchema> };
}

interface DescribedSchema {
  properties?: Record<string, DescribedSchema>;
  items?: DescribedSchema;
  description?: string;
  $ref?: string;
  anyOf?: unknown[];
}
