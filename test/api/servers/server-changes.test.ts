import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { operations } from '../../../db/schema/index.js';
import { tableContents } from '../../support/table-contents.js';
import { type Harness, openHarness, pollUntil } from '../harness.js';

describe('work on servers and the fleet', () => {
  let api: Harness;
  let hosts = 0;
  before(async () => {
    api = await openHarness({ temporal: 'worker' });
  });
  after(() => api.close());

  /** Those that may be rebooted: the stand-in refuses ids that end with 7. */
  const makeServer = async (refused = false): Promise<number> => {
    const id = await insertServer();
    return (id % 10 === 7) === refused ? id : makeServer(refused);
  };
  const insertServer = async (): Promise<number> => {
    const form = {
      name: 'web',
      host: `10.3.0.${(hosts += 1)}`,
      domain: 'clients.example.test',
      sql_user: 'backend',
      sql_password: 'the sql password',
      ssh_host_key: `SHA256:${'b'.repeat(43)}`,
    };
    return ((await (await api.call('POST', '/servers/', { form })).json()) as { id: number }).id;
  };

  const started = async (response: Response) => {
    assert.equal(response.status, 202, await response.clone().text());
    assert.equal(response.headers.get('cache-control'), 'no-store');
    const { id, operation } = (await response.json()) as {
      id: unknown;
      operation: { id: string; kind: string };
    };
    const [row] = await api.db.select().from(operations).where(eq(operations.id, operation.id));
    assert.ok(row);
    return { id, kind: row.kind, subject: row.subject, params: (row.input as { params: unknown }).params };
  };

  it('is started by the paths of the source, GET and POST alike', async () => {
    for (const method of ['GET', 'POST']) {
      const [dev, master, prune, reboot] = await Promise.all([1, 2, 3, 4].map(() => makeServer()));
      const build = { release: undefined, existing: 'refuse' };
      assert.deepEqual(await started(await api.call(method, `/containers/${dev}/build_dev/1.4`)), {
        id: dev,
        kind: 'build_image',
        subject: `server:${dev}`,
        params: { serverId: dev, branch: 'dev', version: '1.4-dev', existing: build.existing },
      });
      const forced = await started(
        await api.call(method, `/containers/${master}/build_master/1.3-master/?force=true`),
      );
      assert.deepEqual(forced.params, {
        ...{ serverId: master, branch: 'master', version: '1.3-master', existing: 'replace' },
      });
      const pruned = await started(await api.call(method, `/containers/${prune}/prune`));
      assert.deepEqual(
        [pruned.kind, pruned.subject, pruned.params],
        ['prune_server', `server:${prune}`, { serverId: prune }],
      );
      const path = method === 'GET' ? '/server' : '/servers';
      const rebooted = await started(await api.call(method, `${path}/${reboot}/reboot_server`));
      assert.deepEqual([rebooted.kind, rebooted.params], ['reboot_server', { serverId: reboot }]);
    }
  });

  it('refuses to reboot without the right to', async () => {
    const server = await makeServer(true);
    // those of before have begun, and change nothing any more
    await pollUntil(
      async () => !(await api.db.select().from(operations)).some(({ state }) => state === 'starting'),
    );
    const tables = await tableContents(api.db);
    for (const method of ['GET', 'POST']) {
      const refused = await api.call(method, `/servers/${server}/reboot_server`);
      assert.deepEqual([refused.status, await codeOf(refused)], [422, 'cannot_reboot']);
    }
    assert.deepEqual(await tableContents(api.db), tables);
    await started(await api.call('POST', `/containers/${server}/prune`));
  });

  it('keeps `auto` for the server to choose', async () => {
    const server = await makeServer();
    const { params } = await started(await api.call('POST', `/containers/${server}/build_dev/auto`));
    assert.equal((params as { version: string }).version, 'auto');
  });

  it('builds for all by the form of the source, once', async () => {
    const form = { version: '1.3-master', info: '# New\n\nThings.' };
    const { id, kind, subject, params } = await started(
      await api.call('POST', '/containers/build_master_for_all/', { form }),
    );
    assert.deepEqual(
      [id, kind, subject],
      ['build_master_for_all', 'build_master_for_all', 'fleet:build_master_for_all'],
    );
    assert.deepEqual(params, { ...form, force: false });
    const again = await api.call('POST', '/containers/build_master_for_all/', { form });
    assert.equal(again.status, 200);
    const other = await api.call('POST', '/containers/build_master_for_all/', {
      form: { ...form, version: '1.4-master' },
    });
    assert.equal(other.status, 409);
  });

  it('answers 409 where the version is, and where something runs', async () => {
    const server = await makeServer();
    const tables = await tableContents(api.db);
    const refused = await api.call('POST', `/containers/${server}/build_master/1.3`);
    assert.deepEqual([refused.status, await codeOf(refused)], [409, 'version_exists']);
    assert.deepEqual(await tableContents(api.db), tables);
    await started(await api.call('POST', `/containers/${server}/build_master/1.4`));
    const busy = await api.call('POST', `/containers/${server}/prune`);
    assert.deepEqual([busy.status, await codeOf(busy)], [409, 'busy']);
  });

  it('refuses what is no version, no server, or no method, and starts nothing', async () => {
    const server = await makeServer();
    const tables = await tableContents(api.db);
    const versions = [
      'v1',
      '1..2',
      '1.4-Dev',
      '1.4%20',
      'latest',
      '-rf',
      '1.4-master',
      `1.${'9'.repeat(200)}`,
      '%24(id)',
      '..%2f..',
    ];
    for (const version of versions) {
      const response = await api.call('POST', `/containers/${server}/build_dev/${version}`);
      assert.equal(response.status, 422, version);
      const { errors } = (await response.json()) as { errors: { field: string }[] };
      assert.deepEqual([...new Set(errors.map(({ field }) => field))], ['new_version'], version);
    }
    const crossed = await api.call('POST', `/containers/${server}/build_master/1.4-dev`);
    assert.equal(crossed.status, 422);
    for (const path of ['build_dev/1.4', 'build_master/auto', 'prune']) {
      assert.equal((await api.call('POST', `/containers/2000000000/${path}`)).status, 404);
      assert.equal((await api.call('POST', `/containers/web/${path}`)).status, 404);
      assert.equal((await api.call('PUT', `/containers/${server}/${path}`)).status, 405);
    }
    assert.equal((await api.call('GET', '/servers/2000000000/reboot_server')).status, 404);
    assert.equal((await api.call('DELETE', `/servers/${server}/reboot_server`)).status, 405);
    assert.equal((await api.call('GET', '/containers/build_master_for_all/')).status, 405);
    assert.equal((await api.call('POST', `/containers/${server}/prune?on_failure=maybe`)).status, 422);
    assert.equal((await api.call('POST', `/containers/${server}/build_dev/1.4?force=perhaps`)).status, 422);
    assert.deepEqual(await tableContents(api.db), tables);
  });

  it('refuses a form of the fleet that names no release of master', async () => {
    const tables = await tableContents(api.db);
    const forms: [Record<string, string>, string][] = [
      [{}, 'version'],
      [{ version: '' }, 'version'],
      [{ version: '1.3' }, 'version'],
      [{ version: '1.3-dev' }, 'version'],
      [{ version: 'auto' }, 'version'],
      [{ version: 'x-master' }, 'version'],
      [{ version: '1.3-master', info: 'x'.repeat(50_001) }, 'info'],
      [{ version: '1.3-master', force: 'perhaps' }, 'force'],
    ];
    for (const [form, field] of forms) {
      const response = await api.call('POST', '/containers/build_master_for_all', { form });
      assert.equal(response.status, 422, JSON.stringify(form).slice(0, 80));
      const { errors } = (await response.json()) as { errors: { field: string }[] };
      assert.deepEqual([...new Set(errors.map((error) => error.field))], [field]);
    }
    assert.deepEqual(await tableContents(api.db), tables);
  });
});

async function codeOf(response: Response): Promise<unknown> {
  return ((await response.json()) as { code: unknown }).code;
}
