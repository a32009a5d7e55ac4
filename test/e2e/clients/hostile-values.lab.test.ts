import assert from 'node:assert/strict';
import { access } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { count } from 'drizzle-orm';
import { clients, operations, servers } from '../../../db/schema/index.js';
import { assertHealthy, hostnameOf, removeClient } from '../../support/client-checks.js';
import { readClientDatabase } from '../../support/client-database.js';
import { HOSTILE_LINES, HOSTILE_TEXTS, TRAP } from '../../support/hostile-texts.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { getPage } from '../../support/neighbour.js';
import { verifiesPassword } from '../../support/password-hash.js';
import { type Answer, clientFields, openSystem, serverFields, type System } from '../../support/system.js';

/** Take any one line of text, up to 255 characters (a password up to 72 bytes). */
const LINES = ['name', 'short_name', 'admin_f', 'admin_i', 'admin_o', 'city', 'password'];
/** Take any text. */
const TEXTS = ['config', 'license'];
const STRICT = [
  ...['id', 'server_id', 'admin_login', 'subdomain', 'email', 'phone', 'timezone', 'version_tag'],
  ...['allowed_ips', 'license_expires_at', 'billing_type', 'kind'],
];
const SERVER_LINES = ['name', 'sql_password'];
const SERVER_STRICT = [
  ...[
    'id',
    'host',
    'domain',
    'sql_user',
    'active',
    'ssh_port',
    'ssh_user',
    'ssh_host_key',
    'sql_engine',
    'sql_port',
  ],
  ...[
    'sql_host',
    'base_dir',
    'vhost_dir',
    'client_pool',
    'port_range',
    'stage',
    'publisher',
    'product',
    'tls',
  ],
  ...['tls_cert', 'tls_key'],
];

for (const [slot, hostName] of [
  [40, 'maria'],
  [41, 'pg'],
] as const) {
  describe(`hostile values on ${hostName}`, { skip: noLab }, () => {
    let system: System;
    let serverId: number;
    const host = noLab === false ? sharedHost(hostName) : (undefined as never);

    before(async () => {
      system = await openSystem({ slot });
      serverId = await system.addServer(host);
    });
    after(() => system?.close());

    for (const [path, strict, lines, texts] of [
      ['/clients/', STRICT, LINES, TEXTS],
      ['/servers/', SERVER_STRICT, SERVER_LINES, []],
    ] as const) {
      it(`in every field of POST ${path} are refused by name, or are welcome there`, async () => {
        const rowsBefore = await rowCounts();
        for (const [field, kind] of [
          ...strict.map((name) => [name, 'strict'] as const),
          ...lines.map((name) => [name, 'line'] as const),
          ...texts.map((name) => [name, 'text'] as const),
        ]) {
          for (const [what, value] of Object.entries({ ...HOSTILE_LINES, ...HOSTILE_TEXTS })) {
            const welcome =
              kind === 'text' ? isText(what) : kind === 'line' && what in HOSTILE_LINES && fits(field, value);
            const [form, json] = await postWith(path, field, value);
            assertJudged(json, { field, what, welcome });
            // a form cannot hold one: it arrives as a replacement character
            if (what !== 'half a character') assertJudged(form, { field, what, welcome });
          }
        }
        assert.deepEqual(await rowCounts(), rowsBefore);
      });
    }

    for (const [index, fields] of [
      {
        name: all(['quotes', 'substitution', 'sql', 'braces', 'template', 'percent', 'emoji']),
        short_name: all(['backticks', 'chain', 'right to left']),
        admin_f: all(['substitution', 'backticks', 'emoji']),
        admin_i: all(['sql', 'sql in double quotes', 'right to left']),
        admin_o: all(['path', 'option', 'template']),
        city: all(['html', 'yaml', 'separators']),
        // forms write every end of a line so
        config: `${Object.values(HOSTILE_LINES).join('\r\n')}\r\n\r\nAPP_KEY=stolen\r\n${HOSTILE_TEXTS['escapes']}`,
        license: '-----BEGIN\r\n'.padEnd(65_535, `'"\\$(\``),
        password: `'"\\$(touch /tmp/${TRAP})\`id\` ü`,
        email: "o'`id`${HOME}|x@example.test",
      },
      {
        name: `-rf ${all(['option', 'html', 'yaml', 'separators', 'chain'])}`,
        short_name: '--help',
        admin_f: '-',
        admin_i: '\\',
        admin_o: "'",
        city: '%',
        config: 'ü'.repeat(32_767),
        license: '\\',
        password: `-%n{{7}}<%=1%>'; DROP TABLE users; --`,
        email: 'a&b#c%d@example.test',
      },
    ].entries()) {
      it(`stored literally, client ${index + 1}: database, .env, mail and API have them as they came, and nobody runs them`, async () => {
        const { id, operation } = await system.addClient(serverId, fields);
        const view = await system.ended(operation);
        await assertHealthy({ system, host, id, view });
        assert.equal(view.state, 'succeeded', JSON.stringify(view.warnings));
        const { password, ...shown } = fields;

        const { body } = await system.call('GET', `/clients/${id}`);
        const answered = Object.fromEntries(Object.keys(shown).map((field) => [field, body[field]]));
        assert.deepEqual(answered, shown);
        assert.deepEqual(await hexColumn(id, 'select name from laboratories'), [fields.name]);
        const { admin_f, admin_i, admin_o, email } = fields;
        for (const [column, value] of Object.entries({
          surname: admin_f,
          name: admin_i,
          patronymic: admin_o,
          email,
        })) {
          assert.deepEqual(await hexColumn(id, `select ${column} from users`), [value], column);
        }
        for (const name of ['config', 'license'] as const) {
          assert.deepEqual(await hexColumn(id, `select value from cloud_settings where name = '${name}'`), [
            fields[name],
          ]);
        }
        const [[hash = ''] = []] = await readClientDatabase(host, id, 'select password from users');
        assert.equal(await verifiesPassword(password, hash), true);

        const env = JSON.parse(
          (await host.exec(`docker exec $(docker ps -qf name=client${id}) artisan env:show`)).stdout,
        ) as Record<string, string>;
        assert.equal(env['APP_NAME'], fields.name);
        assert.match(env['APP_KEY'] ?? '', /^base64:[A-Za-z0-9+/]{43}=$/);
        const page = await getPage({ address: host.address, hostname: await hostnameOf(system, id) });
        assert.equal(page.status, 200);
        assert.ok(!page.text.includes('<script>'));
        assert.deepEqual(system.mails.at(-1)?.to, [email]);
        const { body: log } = await system.call('GET', `/clients/${id}/createlog`);
        assert.equal(log['completed'], 'ok');
        assert.deepEqual(await traps(id), []);
        await removeClient(system, host, id);
        assert.deepEqual(await traps(), []);
      });
    }

    /** As a form and as JSON; a field that every create needs is left out, so that nothing begins. */
    async function postWith(
      path: '/clients/' | '/servers/',
      field: string,
      value: string,
    ): Promise<[Answer, Answer]> {
      const given: Record<string, string> =
        path === '/clients/' ? clientFields(serverId) : serverFields(host, slot);
      const leftOut = leftOutFor(path, field);
      delete given[leftOut];
      const body = { ...given, [field]: value };
      return [await system.call('POST', path, body), await system.callJson('POST', path, body)];
    }

    function assertJudged(
      { status, headers, body }: Answer,
      judged: { field: string; what: string; welcome: boolean },
    ): void {
      const { field, what, welcome } = judged;
      const where = `${what} in ${field}: ${status} ${JSON.stringify(body).slice(0, 500)}`;
      assert.match(headers.get('content-type') ?? '', /^application\/problem\+json/, where);
      // larger than any body may be
      if (what === 'a megabyte') return assert.equal(status, 413, where);
      assert.ok(status === 422 || (!welcome && status === 404 && field === 'id'), where);
      const named = ((body['errors'] ?? []) as unknown as { field: string }[]).map((error) => error.field);
      assert.equal(named.includes(field), !welcome, where);
      assert.ok(!JSON.stringify(body).includes(TRAP), where);
    }

    /** A text column's values, whatever stands in them. */
    async function hexColumn(id: number, query: string): Promise<string[]> {
      const [, column, rest] = /^select (\w+) (.*)$/.exec(query) ?? [];
      const hex =
        host.sqlEngine === 'mariadb' ? `hex(${column})` : `encode(convert_to(${column}, 'UTF8'), 'hex')`;
      const rows = await readClientDatabase(host, id, `select ${hex} ${rest}`);
      return rows.map(([value = '']) => Buffer.from(value, 'hex').toString('utf8'));
    }

    async function rowCounts(): Promise<unknown[]> {
      const { db } = system.database;
      return Promise.all(
        [clients, servers, operations].map((table) => db.select({ n: count() }).from(table)),
      );
    }

    /** Where a value was run: on the host, in the client's container, here. */
    async function traps(id?: number): Promise<string[]> {
      const inside =
        id === undefined
          ? ''
          : `docker exec $(docker ps -qf name=client${id}) find / -xdev -name '${TRAP}*';`;
      const { stdout } = await host.exec(`find / -xdev -name '${TRAP}*' 2>/dev/null; ${inside}`, {
        check: false,
      });
      const here = await Promise.all(
        [`/tmp/${TRAP}`, `${process.cwd()}/${TRAP}`].map((path) =>
          access(path).then(
            () => path,
            () => '',
          ),
        ),
      );
      return [...stdout.split('\n'), ...here].filter((path) => path !== '');
    }
  });
}

function all(names: (keyof typeof HOSTILE_LINES)[]): string {
  return names.map((name) => HOSTILE_LINES[name]).join(' ');
}

function leftOutFor(path: string, field: string): string {
  if (path === '/servers/') return field === 'name' ? 'sql_password' : 'name';
  return field === 'subdomain' ? 'email' : 'subdomain';
}

/** Lines of text may be longer than a password. */
function fits(field: string, value: string): boolean {
  return field !== 'password' || Buffer.byteLength(value) <= 72;
}

function isText(what: string): boolean {
  return !['NUL', 'half a character', 'a megabyte', 'a byte too many for any column'].includes(what);
}
