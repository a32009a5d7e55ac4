import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq, sql } from 'drizzle-orm';
import * as fc from 'fast-check';
import { auditLog, backups, clients, secrets, servers } from '../../../db/schema/index.js';
import { basic, formOf, type Harness, openHarness, ADMIN } from '../harness.js';

interface ServerBody {
  id: number;
  host: string;
  ssh_host_key: string | null;
  ssh_host_key_confirmed: boolean;
  sql_port: number;
  [field: string]: unknown;
}

const KEY = `SHA256:${'b'.repeat(43)}`;

const errorsOf = async (response: Response) => {
  assert.equal(response.status, 422, await response.clone().text());
  const { errors = [] } = (await response.json()) as { errors?: { field: string; message: string }[] };
  return [...new Set(errors.map(({ field }) => field))].sort();
};

describe('clients and servers', () => {
  let api: Harness;
  let hosts = 0;
  before(async () => {
    api = await openHarness({ temporal: 'worker' });
  });
  after(() => api.close());

  const serverFields = (changes: Record<string, string> = {}) => ({
    name: 'web',
    host: `10.1.${(hosts += 1) >> 8}.${hosts & 255}`,
    domain: 'clients.example.test',
    sql_user: 'backend',
    sql_password: 'the sql password',
    ssh_host_key: KEY,
    ...changes,
  });
  const makeServer = async (changes: Record<string, string> = {}) => {
    const response = await api.call('POST', '/servers/', { form: serverFields(changes) });
    assert.equal(response.status, 201, await response.clone().text());
    return (await response.json()) as ServerBody;
  };
  const addClient = async (serverId: number, values: Partial<typeof clients.$inferInsert> = {}) => {
    const [row] = await api.db
      .insert(clients)
      .values({
        serverId,
        status: 'active',
        name: 'Acme',
        adminLogin: 'jo',
        subdomain: `c${(hosts += 1)}`,
        email: 'jo@acme.example',
        versionTag: '1.3-master',
        billingType: 'yearly',
        ...values,
      })
      .returning();
    assert.ok(row);
    return row;
  };

  describe('servers', () => {
    it('are created from a form, with defaults, and the password only as a secret', async () => {
      const { ssh_host_key: _, ...fields } = serverFields();
      const response = await api.call('POST', '/servers/', { form: fields });
      assert.equal(response.status, 201);
      const text = await response.clone().text();
      assert.ok(!text.includes('the sql password'));
      const made = (await response.json()) as ServerBody;
      assert.equal(made.sql_port, 3306);
      assert.equal(made['ssh_user'], 'www-data');
      assert.equal(made['sql_host'], fields.host);
      assert.equal(made['port_range'], '20000-29999');
      assert.equal(made.ssh_host_key, `SHA256:${'a'.repeat(43)}`, 'pinned as seen');
      assert.equal(made.ssh_host_key_confirmed, false);
      const [row] = await api.db.select().from(servers).where(eq(servers.id, made.id));
      assert.equal(await api.secrets.reveal(api.db, row?.sqlPassword ?? ''), 'the sql password');
      const left = await api.db.select().from(secrets).where(sql`${secrets.owner} like 'probes/%'`);
      assert.equal(left.length, 0);
      const audit = await api.db
        .select()
        .from(auditLog)
        .where(eq(auditLog.subject, `server:${made.id}`));
      assert.equal(audit.length, 1);
    });

    it('are the same from form, urlencoded and JSON', async () => {
      const answers: Record<string, unknown>[] = [];
      const headers = { authorization: basic(ADMIN) };
      for (const body of ['form', 'urlencoded', 'json'] as const) {
        const fields = serverFields({ sql_engine: 'postgres', active: '0', port_range: '20000–20100' });
        const response = await api.call('POST', '/servers', {
          headers,
          ...(body === 'form' ? { form: fields } : {}),
          ...(body === 'json' ? { json: { ...fields, active: false } } : {}),
          ...(body === 'urlencoded'
            ? {
                body: new URLSearchParams(fields).toString(),
                headers: { 'content-type': 'application/x-www-form-urlencoded' },
              }
            : {}),
        });
        assert.equal(response.status, 201, await response.clone().text());
        const {
          id,
          host,
          sql_host: __,
          created_at,
          updated_at,
          ...rest
        } = (await response.json()) as ServerBody;
        assert.ok(id && host && created_at && updated_at);
        answers.push(rest);
      }
      assert.deepEqual(answers[0], answers[1]);
      assert.deepEqual(answers[0], answers[2]);
      assert.equal(answers[0]?.['sql_port'], 5432);
    });

    it('keep what an update leaves out or empty, and confirm a key that is given', async () => {
      const { ssh_host_key: _, ...fields } = serverFields();
      const made = (await (await api.call('POST', '/servers', { form: fields })).json()) as ServerBody;
      const update = (form: Record<string, string>) =>
        api.call('POST', '/servers/', { form: { id: String(made.id), ...form } });
      const changed = (await (
        await update({ name: 'renamed', sql_password: '', ssh_host_key: KEY })
      ).json()) as ServerBody;
      assert.equal(changed['name'], 'renamed');
      assert.equal(changed.host, made.host);
      assert.equal(changed.ssh_host_key, KEY);
      assert.equal(changed.ssh_host_key_confirmed, true);
      const password = async () => {
        const [row] = await api.db.select().from(servers).where(eq(servers.id, made.id));
        return api.secrets.reveal(api.db, row?.sqlPassword ?? '');
      };
      assert.equal(await password(), 'the sql password');
      await update({ sql_password: 'changed password' });
      assert.equal(await password(), 'changed password');
      const moved = (await (await update({ host: '10.1.9.9' })).json()) as ServerBody;
      assert.equal(moved['sql_host'], '10.1.9.9', 'what was derived follows');
      assert.equal(moved.ssh_host_key_confirmed, false, 'another machine has another key');
      assert.equal(
        (await api.call('POST', '/servers', { form: { id: '2000000000', name: 'x' } })).status,
        404,
      );
    });

    it('are not pinned unseen, and not twice at one host', async () => {
      const { ssh_host_key: _, ...fields } = serverFields({ host: 'keyless.example.test' });
      assert.deepEqual(await errorsOf(await api.call('POST', '/servers', { form: fields })), [
        'ssh_host_key',
      ]);
      const made = await makeServer();
      const again = await api.call('POST', '/servers', { form: serverFields({ host: made.host }) });
      assert.equal(((await again.json()) as { code: string }).code, 'host_taken');
    });

    it('hold on to what their clients are built on', async () => {
      const made = await makeServer();
      const row = await addClient(made.id);
      const update = (form: Record<string, string>) =>
        api.call('POST', '/servers', { form: { id: String(made.id), ...form } });
      for (const form of [
        { domain: 'other.example.test' },
        { base_dir: '/data' },
        { sql_engine: 'postgres' },
      ] as Record<string, string>[]) {
        const response = await update(form);
        assert.equal(response.status, 409, JSON.stringify(form));
        assert.equal(((await response.json()) as { code: string }).code, 'in_use');
      }
      assert.equal((await update({ domain: 'clients.example.test', name: 'same domain' })).status, 200);
      assert.equal((await api.call('DELETE', `/servers/${made.id}`)).status, 409);
      await api.db.update(clients).set({ status: 'deleted' }).where(eq(clients.id, row.id));
      assert.equal((await api.call('DELETE', `/servers/${made.id}/`)).status, 204);
      assert.equal((await api.call('GET', `/servers/${made.id}`)).status, 404);
      assert.equal(
        (
          await api.db
            .select()
            .from(secrets)
            .where(eq(secrets.owner, `servers/${made.id}`))
        ).length,
        0,
      );
    });

    it('show their load, images with the clients on them, and their readiness', async () => {
      const made = await makeServer();
      const row = await addClient(made.id);
      const shown = (await (await api.call('GET', `/server/${made.id}/`)).json()) as Record<string, unknown>;
      assert.equal(shown['reachable'], true);
      assert.equal(shown['clients'], 1);
      assert.equal((shown['load'] as { cpus: number }).cpus, 4);
      const images = (await (await api.call('GET', `/servers/${made.id}/images`)).json()) as {
        data: { clients: number[] }[];
      };
      assert.deepEqual(images.data[0]?.clients, [row.id]);
      const known = (await (await api.call('GET', `/servers/check_host/${made.host}`)).json()) as Record<
        string,
        unknown
      >;
      assert.equal(known['server_id'], made.id);
      assert.equal(known['ready'], true);
      const unknown = await api.call('POST', '/servers/check_host/new.example.test', {
        form: { sql_user: 'u', sql_password: 'probed password' },
      });
      assert.equal(unknown.status, 200);
      assert.equal((await api.call('GET', '/servers/check_host/-oProxyCommand')).status, 404);
    });

    it('that do not answer cost 5 s and no more', async () => {
      const began = Date.now();
      const response = await api.call('GET', '/servers/check_host/dead.example.test');
      assert.equal(response.status, 503);
      assert.ok(Date.now() - began < 5_500);
    });

    it('are listed by page, inactive ones only on request', async () => {
      const off = await makeServer({ active: 'false' });
      const list = async (query: string) =>
        (await (await api.call('GET', `/servers${query}`)).json()) as { data: ServerBody[]; total: number };
      const active = await list('?per_page=100');
      const all = await list('?per_page=100&all=true');
      assert.ok(!active.data.some(({ id }) => id === off.id));
      assert.ok(all.data.some(({ id }) => id === off.id));
      const first = await api.call('GET', '/servers?per_page=1');
      assert.match(first.headers.get('link') ?? '', /page=2>; rel="next"/);
      const response = await api.call('GET', '/servers?per_page=2&page=2');
      assert.match(response.headers.get('link') ?? '', /page=\d+>; rel="last"/);
      assert.match(response.headers.get('link') ?? '', /page=1>; rel="prev"/);
      assert.equal((await api.call('GET', '/servers?per_page=101')).status, 422);
    });

    it('refuse hostile fields, each by its name', async () => {
      const hostile: Record<string, string[]> = {
        host: [
          '-oProxyCommand=sh',
          '10.0.0.1; reboot',
          '0x7f.1',
          '010.0.0.1',
          '1.2.3',
          '169.254.169.254',
          'UPPER.example',
          'a b',
          '::1%eth0',
          'x'.repeat(300),
          '0.0.0.0',
        ],
        domain: [
          'localhost',
          '-a.example',
          'a..b',
          'a.example\n',
          'a.example/x',
          '1.2.3.4',
          `${'a'.repeat(64)}.example`,
        ],
        sql_user: ["x' OR 1=1", '-u', 'a b', '', 'x'.repeat(33)],
        ssh_user: ['root;id', '-l', 'A', '$(id)'],
        ssh_port: ['0', '65536', '22a', '1e3', '-1', '2.5'],
        ssh_host_key: ['SHA256:x', 'MD5:00', KEY + '\n'],
        base_dir: [
          'srv',
          '/srv/..',
          '/srv/../etc',
          '/srv//x',
          '/srv/',
          '/',
          '/srv/$(id)',
          '/srv/-rf',
          '/srv/a b',
          '/srv\n',
          '/./srv',
        ],
        client_pool: ['10.0.0.0', '10.0.0.0/7', '10.0.0.0/29', 'fd00::/16', '10.0.0.0/016', '10.0.0.256/16'],
        port_range: ['1-2', '20000', '30000-20000', '20000-70000', '80-90'],
        product: ['../sample', 'unknown', 'Sample'],
        tls: ['on', 'AUTO'],
        name: ['a\0b', 'a\nb', 'a\u0007b', 'x'.repeat(121), '\ud800'],
        active: ['yes', '2', 'null'],
        sql_password: ['a\nb', 'x'.repeat(201)],
      };
      for (const [field, values] of Object.entries(hostile)) {
        for (const value of values) {
          const fields = { ...serverFields(), [field]: value };
          // forms turn line ends into CRLF and lone surrogates into U+FFFD; JSON keeps them
          const response = await api.call('POST', '/servers', { json: fields });
          assert.deepEqual(await errorsOf(response), [field], `${field}: ${JSON.stringify(value)}`);
        }
      }
    });
  });

  describe('clients', () => {
    let serverId: number;
    before(async () => {
      serverId = (await makeServer()).id;
    });
    const fields = (changes: Record<string, unknown> = {}) => ({
      server_id: serverId,
      name: 'Acme',
      admin_login: 'jo',
      email: 'jo@acme.example',
      version_tag: '1.3-master',
      subdomain: `n${(hosts += 1)}`,
      ...changes,
    });
    const created = async (changes: Record<string, unknown>) => {
      const response = await api.call('POST', '/clients', { json: fields(changes) });
      assert.equal(response.status, 202, await response.clone().text());
      const { id } = (await response.json()) as { id: number };
      const [row] = await api.db.select().from(clients).where(eq(clients.id, id));
      assert.ok(row);
      return row;
    };

    it('take every field of the form as the source names it', async () => {
      const form = {
        server_id: String(serverId),
        name: 'ООО «Ромашка» 🌼',
        short_name: '',
        admin_f: "O'Neil",
        admin_i: 'Jo',
        admin_o: '',
        admin_login: 'jo.neil',
        password: 'a first password',
        subdomain: 'whole-form',
        email: "jo.o'neil+lab@acme.example",
        phone: '+1 (555) 010-00',
        city: 'Springfield',
        timezone: 'Europe/Berlin',
        version_tag: '1.3-master',
        allowed_ips: '["192.0.2.7","198.51.100.9/24","2001:DB8::1"]',
        config: 'line one\nline two',
        license: '',
        license_expires_at: '2031-01-31 18:00:00',
        id: '',
      };
      const response = await api.call('POST', '/clients/', { body: formOf(form) });
      assert.equal(response.status, 202, await response.clone().text());
      const { id } = (await response.json()) as { id: number };
      const shown = (await (await api.call('GET', `/clients/${id}`)).json()) as Record<string, unknown>;
      assert.equal(shown['name'], form.name);
      assert.equal(shown['allowed_ips'], '["192.0.2.7","198.51.100.0/24","2001:db8::1"]');
      assert.equal(shown['license_expires_at'], '2031-01-31T17:00:00.000Z');
      assert.equal(shown['url'], 'https://whole-form.clients.example.test');
      assert.equal(shown['status'], 'creating');
      assert.equal(shown['billing_type'], 'monthly');
      assert.equal((shown['operation'] as { kind: string }).kind, 'create_client');
      assert.ok(!JSON.stringify(shown).includes('a first password'));
      assert.ok(!api.log.join('').includes('a first password'));
    });

    it('read the end of a licence in their time zone unless it has an offset', async () => {
      const cases: [string, string, string][] = [
        ['2031-07-01 00:00', 'Asia/Vladivostok', '2031-06-30T14:00:00.000Z'],
        ['2031-07-01T00:00:00+03:00', 'Asia/Vladivostok', '2031-06-30T21:00:00.000Z'],
        ['2031-07-01T00:00:00Z', 'Asia/Vladivostok', '2031-07-01T00:00:00.000Z'],
        ['2031-03-30 02:30:00', 'Europe/Berlin', '2031-03-30T01:30:00.000Z'],
        ['2032-02-29', 'UTC', '2032-02-29T00:00:00.000Z'],
      ];
      for (const [license_expires_at, timezone, expected] of cases) {
        const row = await created({ license_expires_at, timezone });
        assert.equal(row.licenseExpiresAt?.toISOString(), expected);
      }
    });

    it('refuse hostile fields, each by its name', async () => {
      const hostile: Record<string, unknown[]> = {
        subdomain: ['-a', 'a-', 'A', 'a_b', 'a.b', '1a', 'a'.repeat(33), 'a\n', "a';--", '../a', 'à'],
        version_tag: ['-v', 'a b', 'a:b', 'a/b', 'x'.repeat(129), '$(id)', 'a\n', '.a'],
        email: [
          'a@b',
          'a@@b.example',
          'a b@c.example',
          'a@b.example\n',
          '"a"@b.example',
          '-a@b.example',
          'a@b.example,c@d.example',
          `${'a'.repeat(65)}@b.example`,
          'a@[127.0.0.1]',
          'a..b@c.example',
        ],
        admin_login: ['-rf', 'a b', "a'b", 'x'.repeat(65), ''],
        timezone: ['Mars/Base', '+03:00', '../etc', 'Europe/Berlin\n', 'x'.repeat(65)],
        allowed_ips: [
          '[',
          '{}',
          '"10.0.0.1"',
          '["10.0.0.1; allow all"]',
          '["010.0.0.1"]',
          '["10.0.0.0/33"]',
          '["fe80::1%eth0"]',
          '[1]',
          [null],
          Array.from({ length: 201 }, (_, i) => `10.0.0.${i % 250}`),
        ],
        license_expires_at: [
          'tomorrow',
          '2031-02-30',
          '2031-01-31 25:00',
          '1999-01-01',
          '2031-01-31T00:00:00+99:00',
          '2031-01-31\n',
        ],
        server_id: ['x', 0, -1, 1.5, 2_147_483_648, 2_000_000_000, null, {}, true],
        billing_type: ['gold', 'x; drop'],
        kind: ['admin'],
        name: ['', 'a\nb', 'a\0', 'x'.repeat(256), 7, null, ['a'], '\udfff'],
        phone: ['call me', '+1\n2', '1'.repeat(65)],
        city: ['a\u0000', 'a\tb'],
        config: ['a\0b', 'x'.repeat(65_537), { a: 1 }],
        password: ['a\nb', 'x'.repeat(73), 'ß'.repeat(37)],
        id: ['x', 0],
      };
      for (const [field, values] of Object.entries(hostile)) {
        for (const value of values) {
          const response = await api.call('POST', '/clients', { json: fields({ [field]: value }) });
          assert.deepEqual(
            await errorsOf(response),
            [field],
            `${field}: ${JSON.stringify(value)?.slice(0, 80)}`,
          );
        }
      }
    });

    it('keep any other unicode as it is, whatever it means elsewhere', async () => {
      const names = [
        '$(reboot) `id` ; rm -rf /',
        '"; DROP TABLE clients; --',
        '</script>',
        '%s %n ${x} {{y}}',
        '\u202eabc',
        'ﷺ\u200d🏳️‍🌈',
        '\\',
        "''",
      ];
      for (const name of names) assert.equal((await created({ name, city: name })).name, name);
    });

    it('never answer 500, whatever is sent', async () => {
      const value = fc.oneof(
        fc.string({ unit: 'binary', maxLength: 40 }),
        fc.integer(),
        fc.constant(null),
        fc.array(fc.string(), { maxLength: 3 }),
        fc.boolean(),
        fc.double(),
        fc.object({ maxDepth: 1 }),
      );
      const keys = [
        'server_id',
        'name',
        'admin_login',
        'email',
        'version_tag',
        'allowed_ips',
        'license_expires_at',
        'timezone',
        'id',
        'password',
        'kind',
        'phone',
        'config',
      ];
      await fc.assert(
        fc.asyncProperty(fc.dictionary(fc.constantFrom(...keys), value), async (changes) => {
          // without a subdomain nothing is created
          const { subdomain: _, ...given } = fields(changes);
          const response = await api.call('POST', '/clients', { json: given });
          assert.ok([404, 422].includes(response.status), `${response.status} ${await response.text()}`);
        }),
        { numRuns: 150 },
      );
      await fc.assert(
        fc.asyncProperty(
          fc.webPath(),
          fc.dictionary(
            fc.constantFrom('q', 'status', 'page', 'server_id', 'cursor', 'subject', 'limit'),
            fc.string({ unit: 'binary', maxLength: 20 }),
          ),
          async (path, query) => {
            for (const base of ['/clients', '/operations', '/servers', '/audit', path.replace(/^\/*/, '/')]) {
              const response = await api.call('GET', `${base}?${new URLSearchParams(query).toString()}`);
              assert.ok(response.status < 500, `${base} ${response.status}`);
            }
          },
        ),
        { numRuns: 60 },
      );
    });

    it('change what is kept here only, and name the way for the rest', async () => {
      const row = await addClient(serverId, {
        licenseExpiresAt: new Date('2031-01-31T17:00:00Z'),
        timezone: 'Europe/Berlin',
      });
      const same = {
        name: 'Acme',
        subdomain: row.subdomain,
        version_tag: '1.3-master',
        license_expires_at: '2031-01-31 18:00:00',
        allowed_ips: '[]',
      };
      const changed = await api.call('PUT', `/clients/${row.id}`, {
        form: { ...same, city: 'Shelbyville', phone: '', short_name: 'A', billing_type: 'demo' },
      });
      assert.equal(changed.status, 200, await changed.clone().text());
      const body = (await changed.json()) as Record<string, unknown>;
      assert.deepEqual(
        [body['city'], body['short_name'], body['billing_type']],
        ['Shelbyville', 'A', 'demo'],
      );
      const refused = await api.call('POST', '/clients/', {
        form: { id: String(row.id), server_id: '1', version_tag: '2', name: 'Other' },
      });
      const { errors } = (await refused.json()) as { errors: { field: string; message: string }[] };
      assert.deepEqual(errors.map(({ field }) => field).sort(), ['server_id', 'version_tag']);
      assert.match(errors.find(({ field }) => field === 'server_id')?.message ?? '', /move_to/);
      assert.match(errors.find(({ field }) => field === 'version_tag')?.message ?? '', /switch/);
      assert.deepEqual(
        await errorsOf(await api.call('PUT', `/clients/${row.id}`, { json: { billing_type: 'gold' } })),
        ['billing_type'],
      );
    });

    it('are listed by page and filter', async () => {
      const home = await makeServer();
      const soon = await addClient(home.id, {
        name: '100% Zebra_Lab',
        licenseExpiresAt: new Date('2030-01-01'),
      });
      const later = await addClient(home.id, {
        status: 'failed',
        versionTag: '2.0',
        licenseExpiresAt: new Date('2032-01-01'),
      });
      await addClient(home.id, { status: 'deleted' });
      const ids = async (query: string) => {
        const page = (await (await api.call('GET', `/clients?server_id=${home.id}&${query}`)).json()) as {
          data: { id: number }[];
          total: number;
        };
        assert.equal(page.total, page.data.length);
        return page.data.map(({ id }) => id);
      };
      assert.deepEqual(await ids(''), [soon.id, later.id]);
      assert.deepEqual(await ids('q=zebra_'), [soon.id]);
      assert.deepEqual(await ids('q=100%25'), [soon.id]);
      assert.deepEqual(await ids('q=%25'), [soon.id], 'a wildcard is an ordinary character');
      assert.deepEqual(await ids('status=failed'), [later.id]);
      assert.deepEqual(await ids('version=2.0'), [later.id]);
      assert.deepEqual(await ids('expires_before=2031-01-01'), [soon.id]);
      for (const query of ['status=deleted', 'per_page=0', 'page=x', 'expires_before=soon']) {
        assert.equal((await api.call('GET', `/clients?${query}`)).status, 422, query);
      }
    });

    it('have billing types and backups', async () => {
      const types = (await (await api.call('GET', '/clients/billing_types')).json()) as {
        data: { id: string }[];
      };
      assert.deepEqual(
        types.data.map(({ id }) => id),
        ['demo', 'test', 'monthly', 'yearly', 'perpetual'],
      );
      await api.db.insert(backups).values({
        clientId: 7,
        serverId,
        kind: 'delete',
        operationId: 'x',
        path: '/srv/backup',
        versionTag: '1',
        expiresAt: new Date(),
      });
      const list = (await (await api.call('GET', '/backups?client_id=7')).json()) as { total: number };
      assert.equal(list.total, 1);
      assert.equal((await api.call('GET', '/ssh_key')).status, 200);
    });
  });
});
