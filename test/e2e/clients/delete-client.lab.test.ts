import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { clients, secrets } from '../../../db/schema/index.js';
import { toolsDir } from '../../../start/tools/config.js';
import { type LabHost, startLabHost } from '../../../lab/host.js';
import { deliverProduct } from '../../../lab/product/deliver.js';
import { buildSampleImage } from '../../../lab/product/image.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { assertHealthy, hostnameOf, removeClient } from '../../support/client-checks.js';
import { census, traces } from '../../support/census.js';
import { readClientDatabase } from '../../support/client-database.js';
import { noLab, sharedHost, sharedLab } from '../../support/lab.js';
import { getPage, type Watch, watchNeighbour } from '../../support/neighbour.js';
import { type Answer, openSystem, type System } from '../../support/system.js';

for (const [slot, hostName] of [
  [37, 'maria'],
  [38, 'pg'],
] as const) {
  describe(`deleting a client on ${hostName}`, { skip: noLab, concurrency: 4 }, () => {
    let system: System;
    let serverId: number;
    /** two whose numbers begin alike */
    let shorter: number;
    let longer: { id: number; watch: Watch };
    const host = noLab === false ? sharedHost(hostName) : (undefined as never);

    before(async () => {
      system = await openSystem({ slot, limits: { forwardRetryMs: 3_600_000 }, inject: failAsNamed });
      serverId = await system.addServer(host);
      shorter = (await createHealthy()).id;
      await system.database.db.execute(
        `alter table clients alter column id restart with ${shorter * 10 + 1}`,
      );
      const { id } = await createHealthy();
      longer = {
        id,
        watch: watchNeighbour({ address: host.address, hostname: await hostnameOf(system, id) }),
      };
    });
    after(async () => {
      await longer?.watch.stop();
      await system?.close();
      assert.deepEqual(longer?.watch.disturbances(), []);
      assert.ok((longer?.watch.asked() ?? 0) > 10);
    });

    async function failAsNamed(point: 'before' | 'after', { step, subject }: StepContext): Promise<void> {
      if (point !== 'after' || step !== 'migrate') return;
      const [row] = await system.database.db
        .select()
        .from(clients)
        .where(eq(clients.id, Number(subject.slice(7))));
      if (row?.city === 'Failing') throw failure('CommandFailed', 'injected failure');
    }

    it('keeps a backup that can be read and restored, and frees everything', async () => {
      const { id, subdomain } = await createHealthy();
      const body = `a note with "quotes", ünïcode\n and -- ' lines`;
      const hostname = await hostnameOf(system, id);
      await host.exec(`curl -fsS -H 'Host: ${hostname}' --data-binary @- http://127.0.0.1/notes`, {
        input: body,
      });
      await endDelete(await system.call('DELETE', `/clients/${id}`));
      assert.deepEqual(traces(await census(host), `client${id}`), []);
      assert.notEqual((await getPage({ address: host.address, hostname })).status, 200);

      const { body: page } = await system.call('GET', `/backups?client_id=${id}`);
      const [backup, ...others] = page['data'] as unknown as {
        path: string;
        size_bytes: number;
        kind: string;
        version_tag: string;
      }[];
      assert.deepEqual([others, backup?.kind, backup?.version_tag], [[], 'delete', '1.3-master']);
      const path = backup?.path ?? '';
      const size = (await host.exec(`du -sb ${path} | cut -f1`)).stdout.trim();
      assert.equal(backup?.size_bytes, Number(size));
      const files = (await host.exec(`tar -tzf ${path}/files.tar.gz`)).stdout.split('\n');
      for (const file of ['./.env', './public/uploads/started.txt', './php/add_vars.ini'])
        assert.ok(files.includes(file), file);
      assert.deepEqual(
        await restored(path, `scratch${id}`, 'select body from notes'),
        body.split('\n').map((line) => [line]),
      );
      assert.equal((await host.exec(`stat -c %a ${path}`)).stdout.trim(), '700');

      const { db } = system.database;
      assert.deepEqual(
        await db
          .select()
          .from(secrets)
          .where(eq(secrets.owner, `clients/${id}`)),
        [],
      );
      assert.equal((await system.call('GET', `/clients/${id}`)).status, 404);
      // its name is free again
      const { id: next, operation } = await system.addClient(serverId, { subdomain });
      await assertHealthy({ system, host, id: next, view: await system.ended(operation) });
      await removeClient(system, host, next);
    });

    it('is over when it is asked again, and nothing is there for a third time', async () => {
      const { id } = await createHealthy();
      const first = await system.call('DELETE', `/clients/${id}`);
      const twice = await system.call('DELETE', `/clients/${id}`);
      assert.deepEqual([first.status, twice.status, operationOf(twice)], [202, 200, operationOf(first)]);
      await endDelete(first);
      const gone = await system.call('DELETE', `/clients/${id}`);
      assert.deepEqual([gone.status, gone.body['code']], [404, 'not_found']);
      const { body: page } = await system.call('GET', `/backups?client_id=${id}`);
      assert.equal(page['total'], 1);
    });

    it('leaves a neighbour alone whose number begins alike', async () => {
      assert.ok(`client${longer.id}`.startsWith(`client${shorter}`));
      const before = traces(await census(host), `client${longer.id}`);
      await endDelete(await system.call('DELETE', `/clients/${shorter}`));
      assert.deepEqual(traces(await census(host), `client${shorter}`), []);
      assert.deepEqual(traces(await census(host), `client${longer.id}`), before);
      assert.ok(before.length > 6, before.join());
    });

    it('a failed client can be created again and deleted', async () => {
      const failed = await system.addClient(serverId, { city: 'Failing' }, 'on_failure=rollback');
      assert.equal((await system.ended(failed.operation)).state, 'rolled_back');
      const again = await system.addClient(serverId, { id: String(failed.id), city: 'Working' });
      assert.equal(again.id, failed.id);
      await assertHealthy({ system, host, id: again.id, view: await system.ended(again.operation) });
      await removeClient(system, host, again.id);

      const other = await system.addClient(serverId, { city: 'Failing' }, 'on_failure=rollback');
      assert.equal((await system.ended(other.operation)).state, 'rolled_back');
      await endDelete(await system.call('DELETE', `/clients/${other.id}`));
      assert.equal((await system.call('GET', `/clients/${other.id}`)).status, 404);
      const { body: page } = await system.call('GET', `/backups?client_id=${other.id}`);
      assert.equal(page['total'], 0);
    });

    async function createHealthy(): Promise<{ id: number; subdomain: string }> {
      const { id, operation } = await system.addClient(serverId);
      await assertHealthy({ system, host, id, view: await system.ended(operation) });
      const { body } = await system.call('GET', `/clients/${id}`);
      return { id, subdomain: String(body['subdomain']) };
    }

    async function endDelete(answer: Answer): Promise<void> {
      assert.equal(answer.status, 202, JSON.stringify(answer.body));
      const view = await system.ended(operationOf(answer));
      assert.equal(view.state, 'succeeded', JSON.stringify(view));
      assert.deepEqual(view.leftovers, []);
    }

    /** Rows of a query in a database made from the dump, which is gone afterwards. */
    async function restored(path: string, scratch: string, query: string): Promise<string[][]> {
      const as = 'setpriv --reuid postgres --regid postgres --init-groups';
      const script =
        host.sqlEngine === 'mariadb'
          ? `mariadb -e 'create database ${scratch}'; gunzip -c ${path}/database.sql.gz | mariadb ${scratch}`
          : `cd /; ${as} createdb -h /run/postgresql ${scratch}; ${as} pg_restore -h /run/postgresql --no-owner --no-privileges -d ${scratch} < ${path}/database.dump`;
      const drop =
        host.sqlEngine === 'mariadb'
          ? `mariadb -e 'drop database ${scratch}'`
          : `cd /; ${as} dropdb -h /run/postgresql ${scratch}`;
      await host.exec(`set -e; ${script}`);
      try {
        return await readClientDatabase(host, 0, query, scratch);
      } finally {
        await host.exec(drop);
      }
    }
  });
}

describe('deleting a client while docker is down', { skip: noLab }, () => {
  let system: System;
  let host: LabHost;

  before(async () => {
    const { sshKeyFile } = sharedLab();
    const log = (): void => undefined;
    const images = [
      await buildSampleImage({ version: '1.3-master', cacheDir: join(toolsDir, 'sample-product'), log }),
    ];
    const authorizedKey = await readFile(`${sshKeyFile}.pub`, 'utf8');
    // a host of its own: others need their docker
    host = await startLabHost({
      name: `down${process.pid}`,
      sql: 'mariadb',
      compose: 'v2',
      authorizedKey,
      log,
      images,
    });
    await deliverProduct(host);
    system = await openSystem({ slot: 39, retryWindowMs: 1_000, limits: { forwardRetryMs: 3_600_000 } });
  });
  after(async () => {
    await system?.close();
    await host?.stop();
  });

  it('only goes forward, waits for a person, and is finished by retry once docker is back', async () => {
    const serverId = await system.addServer(host);
    const { id, operation } = await system.addClient(serverId);
    await assertHealthy({ system, host, id, view: await system.ended(operation) });
    await host.exec('lab-service kill docker');
    const deleting = operationOf(await system.call('DELETE', `/clients/${id}`));
    const held = await system.until(
      deleting,
      'hold',
      ({ state, endedAt }) => state === 'holding' || endedAt !== null,
    );
    assert.deepEqual([held.hold?.until, held.hold?.actions], [null, ['retry', 'skip']], JSON.stringify(held));
    assert.match(held.hold?.error.message ?? '', /docker/i);
    for (const verb of ['rollback', 'cancel']) {
      const { status, body } = await system.call('POST', `/operations/${deleting}/${verb}`, {});
      assert.deepEqual([status, body['code']], [409, 'past_commit'], verb);
    }
    assert.equal((await system.operation(deleting)).state, 'holding');

    await host.exec('lab-service start docker');
    await host.waitUntilReady();
    await system.call('POST', `/operations/${deleting}/retry`, { note: 'docker is back' });
    const view = await system.ended(deleting);
    assert.equal(view.state, 'succeeded', JSON.stringify(view));
    assert.deepEqual(traces(await census(host), `client${id}`), []);
    const { body: page } = await system.call('GET', `/backups?client_id=${id}`);
    assert.equal(page['total'], 1);
  });
});

function operationOf({ body }: Answer): string {
  return (body['operation'] as unknown as { id: string }).id;
}
