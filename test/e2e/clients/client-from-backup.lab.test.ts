import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { backups } from '../../../db/schema/index.js';
import { backupSweepOf } from '../../support/backups.js';
import { census } from '../../support/census.js';
import { assertHealthy, hostnameOf } from '../../support/client-checks.js';
import { readClientDatabase } from '../../support/client-database.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { type Answer, clientFields, openSystem, type System } from '../../support/system.js';

for (const { slot, hostName, otherName } of [
  { slot: 75, hostName: 'maria', otherName: 'pg' },
  { slot: 76, hostName: 'pg', otherName: 'maria' },
] as const) {
  describe(`a client from a backup on ${hostName}`, { skip: noLab }, () => {
    const host = noLab === false ? sharedHost(hostName) : (undefined as never);
    let system: System;
    let serverId: number;
    let otherServer: number;
    let first: number;
    let backup: { id: number; path: string };

    before(async () => {
      system = await openSystem({ slot });
      serverId = await system.addServer(host);
      otherServer = await system.addServer(sharedHost(otherName));
      const { id, operation } = await system.addClient(serverId, { name: 'First laboratory' });
      await assertHealthy({ system, host, id, view: await system.ended(operation) });
      first = id;
      const hostname = await hostnameOf(system, id);
      await host.exec(`curl -fsS -H 'Host: ${hostname}' --data-binary @- http://127.0.0.1/notes`, {
        input: 'kept over a delete',
      });
      await host.exec(`echo seen > /srv/docker/clients/client${id}/public/uploads/photo.txt`);
      const deleting = await system.call('DELETE', `/clients/${id}`);
      assert.equal((await system.ended(operationOf(deleting))).state, 'succeeded');
      const { body } = await system.call('GET', `/backups?client_id=${id}`);
      [backup] = body['data'] as unknown as [{ id: number; path: string }];
    });
    after(() => system?.close());

    async function refused(fields: Record<string, string>, field = 'restore_from'): Promise<void> {
      const { status, body } = await system.call('POST', '/clients/', {
        ...clientFields(serverId),
        ...fields,
      });
      assert.equal(status, 422, JSON.stringify(body));
      assert.deepEqual(
        (body['errors'] as unknown as { field: string }[]).map((error) => error.field),
        [field],
      );
    }

    it('is refused when the backup cannot become it', async () => {
      const { db } = system.database;
      const before_ = await db.$count(backups);
      await refused({ restore_from: '999999' });
      await refused({ restore_from: '-1' });
      await refused({ restore_from: String(backup.id), server_id: String(otherServer) });
      await refused({ restore_from: String(backup.id), version_tag: '1.2-master' });
      assert.equal(await db.$count(backups), before_);
    });

    it('has its data and uploads, and names and secrets of its own', async () => {
      const { id, operation } = await system.addClient(serverId, {
        restore_from: String(backup.id),
        name: 'Second laboratory',
        version_tag: '1.4-master',
      });
      await assertHealthy({ system, host, id, view: await system.ended(operation) });
      assert.notEqual(id, first);
      assert.deepEqual(await readClientDatabase(host, id, 'select body, seen from notes'), [
        ['kept over a delete', '0'],
      ]);
      assert.deepEqual(await readClientDatabase(host, id, 'select name from laboratories'), [
        ['Second laboratory'],
      ]);
      const directory = `/srv/docker/clients/client${id}`;
      assert.equal((await host.exec(`cat ${directory}/public/uploads/photo.txt`)).stdout, 'seen\n');
      const env = (await host.exec(`cat ${directory}/.env`)).stdout;
      assert.match(env, new RegExp(`DB_DATABASE=client${id}\\n`));
      assert.ok(!env.includes(`client${first}\n`), env);
      const { body } = await system.call('POST', '/clients/', {
        id: String(id),
        restore_from: String(backup.id),
      });
      assert.equal(body['code'], 'invalid_input');
    });

    it('is no more to be had once the time of the backup is over, and others stay', async () => {
      const { db } = system.database;
      const removeOldBackups = backupSweepOf(system);
      const name = backup.path.split('/').at(-1) ?? '';
      assert.deepEqual(await removeOldBackups({ serverId }), { removed: 0 });
      const kept = (await census(host)).backups;
      assert.ok(kept.includes(name));
      await db
        .update(backups)
        .set({ expiresAt: new Date(0) })
        .where(eq(backups.id, backup.id));
      assert.deepEqual(await removeOldBackups({ serverId }), { removed: 1 });
      assert.ok(!(await census(host)).backups.some((entry) => entry.startsWith(name)));
      const present = await system.call('GET', `/backups?client_id=${first}`);
      const all = await system.call('GET', `/backups?client_id=${first}&all=true`);
      assert.deepEqual([present.body['total'], all.body['total']], [0, 1]);
      const [row] = all.body['data'] as unknown as { removed_at: string | null }[];
      assert.ok(row?.removed_at);
      await refused({ restore_from: String(backup.id) });
    });
  });
}

function operationOf({ body }: Answer): string {
  return (body['operation'] as unknown as { id: string }).id;
}
