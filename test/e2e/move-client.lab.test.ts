import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { census, traces } from '../support/census.js';
import { removeClient } from '../support/client-checks.js';
import { noLab } from '../support/lab.js';
import {
  ask,
  containerState,
  fileSums,
  moveEnded,
  type MoveWorld,
  noteBodies,
  openMoveWorld,
  startMove,
} from '../support/move-world.js';

for (const [slot, hostName] of [
  [90, 'maria'],
  [91, 'pg'],
] as const) {
  describe(`move_to on ${hostName}`, { skip: noLab }, () => {
    let world: MoveWorld;
    before(async () => {
      world = await openMoveWorld({ slot, hostName });
    });
    after(() => world?.stop());

    it('brings image, data and files to a host of another domain, and redirects from the old name', async () => {
      const { system, source, target, sourceId, targetId } = world;
      const subdomain = `mv${slot}`;
      const { id, operation } = await system.addClient(sourceId, { subdomain });
      assert.match((await system.ended(operation)).state, /^succeeded/);
      const [oldName, newName] = [source, target].map(({ name }) => `${subdomain}.${name}.example.test`) as [
        string,
        string,
      ];
      for (const body of ['first', 'sécond \\ "quoted"\nline', "it's"])
        assert.equal((await ask(source, oldName, { path: '/notes', method: 'POST', body })).status, 201);
      await source.exec(
        `cd /srv/docker/clients/client${id} && mkdir public/deep && head -c 300000 /dev/urandom > 'public/deep/a b' && chown -R 1234:1234 public/deep && chmod 600 'public/deep/a b'`,
      );
      const [notes, files] = [await noteBodies(source, id), await fileSums(source, id)];

      const moved = await startMove(system, { id, to: targetId, query: 'on_failure=rollback' });
      const view = await moveEnded(system, moved);
      assert.match(view.state, /^succeeded/, JSON.stringify(view));
      const { body: row } = await system.call('GET', `/clients/${id}`);
      assert.deepEqual(
        [row['server_id'], row['status'], row['url']],
        [targetId, 'active', `http://${newName}`],
      );
      assert.equal((await ask(target, newName)).status, 200);
      const old = await ask(source, oldName, { path: '/notes?after=1' });
      assert.deepEqual([old.status, old.location], [308, `http://${newName}/notes?after=1`]);
      assert.deepEqual(await noteBodies(target, id), notes);
      assert.equal(await fileSums(target, id), files);
      assert.deepEqual(
        [await containerState(source, id), await containerState(target, id)],
        ['exited', 'running'],
      );
      for (const host of [source, target]) {
        const { stdout } = await host.exec(
          `ls -A /srv/slipway/moves /srv/slipway/jobs /srv/backup/clients 2>/dev/null || true`,
        );
        assert.ok(!stdout.toUpperCase().includes(moved), stdout);
      }
      await removeClient(system, target, id);
      assert.deepEqual(traces(await census(source), `client${id}`), []);
    });
  });
}
