import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { and, asc, eq } from 'drizzle-orm';
import { clients, operations } from '../../../db/schema/index.js';
import type { LabHost } from '../../../lab/host.js';
import type { ReconfigurateResult, RefreshResult } from '../../../workflows/contract/servers/fleet.js';
import type { OperationView } from '../../../workflows/contract/operation/operation.js';
import { readClientDatabase } from '../../support/client-database.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { getPage } from '../../support/neighbour.js';
import { ownBaseDirectory } from '../../support/own-base-directory.js';
import { openSystem, type System } from '../../support/system.js';

const BASE = '/srv-fan-outs';

describe('all clients of a server, as the source document asks', { skip: noLab, concurrency: 1 }, () => {
  let system: System;
  let serverId: number;
  let emptyId: number;
  /** the second one is a test client, and so the canary */
  let ids: number[];
  const host = noLab === false ? sharedHost('maria') : (undefined as never);
  const other = noLab === false ? sharedHost('pg') : (undefined as never);

  before(async () => {
    system = await openSystem({ slot: 120 });
    await Promise.all([host, other].map((each) => ownBaseDirectory(each, BASE)));
    await publish(host);
    await followOrigin(host);
    serverId = await system.addServer(host, { base_dir: BASE });
    emptyId = await system.addServer(other, { base_dir: BASE });
    const made = await Promise.all(
      ['client', 'test', 'client'].map((kind) => system.addClient(serverId, { kind })),
    );
    for (const { operation } of made) assert.equal((await system.ended(operation)).state, 'succeeded');
    ids = made.map(({ id }) => id);
  });
  after(async () => {
    await system?.close();
    await Promise.all([host, other].map((each) => each?.exec(`rm -rf ${BASE}`)));
  });

  /** The product's repository as its vendor has it: `.env.example` is what the server has, and more. */
  async function publish(at: LabHost): Promise<void> {
    await at.exec(`
rm -rf ${BASE}/origin && mkdir -p ${BASE}/origin/docker ${BASE}/origin/clients && cd ${BASE}/origin
cp ${BASE}/docker/.env.example .
echo one > docker/first.txt; echo trap > clients/README
git init -q -b master . && git config user.name vendor && git config user.email vendor@example.test
git add -A && git commit -qm 'first'
chown -R www-data: ${BASE}/origin`);
  }

  const commit = (change: string) =>
    asUser(host, `cd ${BASE}/origin; ${change}; git add -A; git commit -qm 'a change'`);

  /** Files beside the clients' directories. */
  async function copied(): Promise<string[]> {
    const find = `cd ${BASE}/docker && find . -path ./clients -prune -o -type f -print | sort`;
    return (await host.exec(find)).stdout.trim().split('\n');
  }

  async function followOrigin(at: LabHost): Promise<void> {
    await asUser(at, `rm -rf ${BASE}/git && git clone -q ${BASE}/origin ${BASE}/git`);
  }

  const asUser = (at: LabHost, script: string) =>
    at.exec('setpriv --reuid www-data --regid www-data --init-groups bash -eu', {
      input: `export HOME=/var/www\n${script}`,
    });

  const clientFile = (id: number, path: string) =>
    host.exec(`cat ${BASE}/docker/clients/client${id}/${path}`).then(({ stdout }) => stdout);

  /** When each client's container was started, and of which image it is. */
  async function containers(): Promise<{ image: string; startedAt: string }[]> {
    return Promise.all(
      ids.map(async (id) => {
        const filter = `label=com.docker.compose.project=client${id}`;
        const { stdout } = await host.exec(
          `docker ps -q --filter ${filter} | xargs docker inspect --format '{{.Config.Image}} {{.State.StartedAt}}'`,
        );
        const [image = '', startedAt = ''] = stdout.trim().split(' ');
        return { image, startedAt };
      }),
    );
  }

  async function assertServed(): Promise<void> {
    for (const id of ids) {
      const { body } = await system.call('GET', `/clients/${id}`);
      assert.equal(body['status'], 'active');
      const page = await getPage({ address: host.address, hostname: new URL(String(body['url'])).host });
      assert.equal(page.status, 200);
    }
  }

  async function start(method: string, path: string): Promise<string> {
    const { status, body } = await system.call(method, path);
    assert.equal(status, 202, JSON.stringify(body));
    return (body['operation'] as unknown as { id: string }).id;
  }

  async function done(method: string, path: string): Promise<OperationView> {
    const view = await system.ended(await start(method, path));
    assert.equal(view.state, 'succeeded', JSON.stringify(view));
    return view;
  }

  const childrenOf = (id: string) =>
    system.database.db
      .select()
      .from(operations)
      .where(eq(operations.parentId, id))
      .orderBy(asc(operations.startedAt));

  const holds = (id: string) => system.until(id, 'a hold', ({ state }) => state === 'holding');

  async function retry(id: string): Promise<OperationView> {
    const { status, body } = await system.call('POST', `/operations/${id}/retry`, { note: 'mended' });
    assert.ok(status === 200 || status === 202, JSON.stringify(body));
    return system.ended(id);
  }

  it('switch_all switches every client, the test client first and alone', async () => {
    const view = await done('GET', `/server/${serverId}/switch_all/1.4-master`);
    assert.deepEqual(view.result, { total: 3, done: 3, failed: 0, notStarted: 0, open: [] });
    assert.deepEqual(
      (await containers()).map(({ image }) => image),
      ids.map(() => 'slipway-sample:1.4-master'),
    );
    await assertServed();
    const rows = await system.database.db
      .select()
      .from(clients)
      .where(and(eq(clients.serverId, serverId), eq(clients.versionTag, '1.4-master')));
    assert.equal(rows.length, 3);
    const [canary, ...rest] = await childrenOf(view.id);
    assert.deepEqual([canary?.subject, rest.length], [`client:${ids[1]}`, 2]);
    for (const { startedAt } of rest) assert.ok(startedAt >= (canary?.endedAt ?? Number.NaN));
    const { body } = await system.call('GET', `/operations?parent=${view.id}`);
    assert.equal((body['data'] as unknown as unknown[]).length, 3);
  });

  it('switch_all refuses a lower version without force, and one that is not there, before any client', async () => {
    const before = await containers();
    for (const [version, reason] of [
      ['1.3-master', /1\.3-master is lower than the version of client/],
      ['9.9-master', /slipway-sample:9\.9-master is not on .*; there: /],
      [encodeURIComponent('foreign:1.4-master'), /foreign is not the product's image/],
    ] as const) {
      const path = `/server/${serverId}/switch_all/${version}`;
      const plan = await system.call('GET', `${path}?plan=true`);
      assert.deepEqual([plan.status, plan.body['code']], [422, 'check_refused']);
      assert.match(String(plan.body['detail']), reason);
      const view = await system.ended(await start('GET', path));
      assert.equal(view.state, 'rolled_back');
      assert.deepEqual(await childrenOf(view.id), []);
    }
    assert.deepEqual(await containers(), before);
  });

  it('migrate_all is stopped by a failed canary before the others; a retry of the whole finishes all', async () => {
    const canary = ids[1] as number;
    const undo = "DROP TABLE orders; DELETE FROM migrations WHERE migration = '0007_create_orders'";
    for (const id of ids) await readClientDatabase(host, id, undo);
    const env = `${BASE}/docker/clients/client${canary}/.env`;
    await host.exec(`sed -i 's/^SAMPLE_FAIL=.*/SAMPLE_FAIL=migrate/' ${env}`);
    const before = await containers();

    const id = await start('GET', `/server/${serverId}/migrate_all`);
    const held = await holds(id);
    assert.match(held.hold?.error.message ?? '', new RegExp(`client:${canary} failed [^]*Rehearse`));
    assert.deepEqual(
      (await childrenOf(id)).map(({ subject, state }) => ({ subject, state })),
      [{ subject: `client:${canary}`, state: 'rolled_back' }],
    );
    // canaries are rehearsed whatever the server says: nobody was ever down
    assert.deepEqual(await containers(), before);
    await assertServed();

    await host.exec(`sed -i 's/^SAMPLE_FAIL=.*/SAMPLE_FAIL=/' ${env}`);
    const view = await retry(id);
    assert.equal(view.state, 'succeeded', JSON.stringify(view));
    for (const client of ids)
      assert.deepEqual(await readClientDatabase(host, client, 'SELECT count(*) FROM orders'), [['0']]);
    assert.equal(new Set((await childrenOf(id)).map(({ subject }) => subject)).size, 3);
    await assertServed();
  });

  it('deploy makes every configuration anew, restarts what changed, and names migrate_all', async () => {
    const before = await containers();
    await host.exec(`echo 'FEATURE_FLAGS="all"' >> ${BASE}/docker/.env.example`);
    const { result } = await done('GET', `/server/${serverId}/deploy`);
    const { changed, next } = result as RefreshResult;
    assert.deepEqual([changed, next], [3, `POST /servers/${serverId}/migrate_all`]);
    for (const id of ids) assert.match(await clientFile(id, '.env'), /^FEATURE_FLAGS="?all"?$/m);
    const after = await containers();
    for (const [index, { startedAt }] of after.entries())
      assert.notEqual(startedAt, before[index]?.startedAt);
    await assertServed();

    const again = (await done('GET', `/server/${serverId}/deploy`)).result as RefreshResult;
    assert.deepEqual([again.done, again.changed], [3, 0]);
    assert.deepEqual(await containers(), after);
  });

  it('reconfigurate pulls on every server, refreshes every client, and holds with the server that could not', async () => {
    await commit(
      "sed -i '/^APP_LOCALE=/d' .env.example; echo 'MAIL_LIMIT=7' >> .env.example; mkdir -p deep/er; echo two > deep/er/second.txt",
    );
    const id = await start('GET', '/clients/reconfigurate?canary=0');
    const held = await holds(id);
    // the other server's tree does not exist yet
    assert.equal(held.steps[0]?.summary, '1 of 2 done, 1 waiting for a person');
    assert.match(held.hold?.error.message ?? '', new RegExp(`server:${emptyId} holding`));
    await publish(other);
    await followOrigin(other);
    const view = await retry(id);
    assert.equal(view.state, 'succeeded', JSON.stringify(view));

    const { changed, servers } = view.result as ReconfigurateResult;
    assert.equal(changed, 3);
    assert.deepEqual(
      servers.map(({ server, state, clients: its }) => ({ server, state, clients: its })),
      [
        {
          ...{ server: serverId, state: 'succeeded' },
          clients: { total: 3, done: 3, failed: 0, notStarted: 0, changed: 3 },
        },
        {
          ...{ server: emptyId, state: 'succeeded' },
          clients: { total: 0, done: 0, failed: 0, notStarted: 0, changed: 0 },
        },
      ],
    );
    for (const client of ids) {
      const env = await clientFile(client, '.env');
      assert.match(env, /^MAIL_LIMIT="?7"?$/m);
      // kept, and marked as no longer there
      assert.match(env, /APP_LOCALE/);
    }
    const files = ['./.env.example', './.slipway-copied', './deep/er/second.txt'];
    assert.deepEqual(await copied(), [...files, './docker/first.txt']);
    const { stdout: left } = await host.exec(`ls ${BASE}/docker/clients`);
    assert.deepEqual(left.trim().split('\n').sort(), ids.map((client) => `client${client}`).sort());
    await assertServed();
  });

  it('reconfigurate restarts only the client whose configuration differs', async () => {
    const before = await containers();
    const [first = 0] = ids;
    await host.exec(`sed -i '/^MAIL_LIMIT=/d' ${BASE}/docker/clients/client${first}/.env`);
    await commit('git rm -q docker/first.txt');
    const { result } = await done('POST', '/clients/reconfigurate/');
    assert.equal((result as ReconfigurateResult).changed, 1);
    const after = await containers();
    assert.notEqual(after[0]?.startedAt, before[0]?.startedAt);
    assert.deepEqual(after.slice(1), before.slice(1));
    // what has gone from the repository goes from the server too
    assert.deepEqual(await copied(), ['./.env.example', './.slipway-copied', './deep/er/second.txt']);
    assert.match(await clientFile(first, '.env'), /^MAIL_LIMIT="?7"?$/m);
  });
});
