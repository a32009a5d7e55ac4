import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { census, traces } from '../../support/census.js';
import { hostnameOf, removeClient } from '../../support/client-checks.js';
import { clientContents } from '../../support/client-contents.js';
import { assertCopied, environmentOf, fillSource, startCopy, TARGET_FIELDS } from '../../support/copies.js';
import { noLab } from '../../support/lab.js';
import {
  ask,
  containerState,
  fileSums,
  moveEnded,
  type MoveWorld,
  noteBodies,
  openMoveWorld,
  startMove,
} from '../../support/move-world.js';
import { mountSmallDisk } from '../../support/small-disk.js';
import { watchNeighbour } from '../../support/neighbour.js';
import { serverFields } from '../../support/system.js';

for (const [slot, hostName] of [
  [90, 'maria'],
  [91, 'pg'],
] as const) {
  describe(`move_to on ${hostName}`, { skip: noLab }, () => {
    let world: MoveWorld;
    let beforeTransfer: (() => Promise<void>) | undefined;
    before(async () => {
      world = await openMoveWorld({
        ...{ slot, hostName, fields: { stage: '1' } },
        inject: async (point, { step }) => {
          if (point === 'before' && step === 'transfer') await beforeTransfer?.();
        },
      });
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

    /** The target's host as another server, with ports and networks of its own, reached by an SSH port of its own. */
    async function addPlace(offset: number, fields: Record<string, string>): Promise<number> {
      const { client_pool = '', port_range = '' } = serverFields(world.target, slot + offset);
      const port = 2200 + offset;
      await world.target.exec(`/usr/sbin/sshd -p ${port} -E /var/log/lab/sshd-${port}.log -o PidFile=none`);
      const place = { client_pool, port_range, ssh_port: String(port) };
      return world.system.addServer(world.target, { ...place, ...fields });
    }

    it('passes visitors of the old host on while the name is the same', async () => {
      const { system, source, target, sourceId } = world;
      const same = await addPlace(8, { name: 'same', domain: `${source.name}.example.test` });
      const { id, operation } = await system.addClient(sourceId);
      assert.match((await system.ended(operation)).state, /^succeeded/);
      const hostname = await hostnameOf(system, id);
      const view = await moveEnded(system, await startMove(system, { id, to: same }));
      assert.match(view.state, /^succeeded/, JSON.stringify(view));
      assert.equal(await hostnameOf(system, id), hostname);
      for (const [host, body] of [
        [source, 'by the old host'],
        [target, 'by the new one'],
      ] as const)
        assert.equal((await ask(host, hostname, { path: '/notes', method: 'POST', body })).status, 201);
      assert.deepEqual(await noteBodies(target, id), ['by the old host', 'by the new one']);
      assert.equal((await ask(source, hostname)).status, 200);
      assert.equal(await containerState(source, id), 'exited');
      await removeClient(system, target, id);
      assert.notEqual((await ask(source, hostname)).status, 200);
    });

    it('waits with the source serving while the disk of the target is full, and goes on with `retry`', async () => {
      const { system, source, target, sourceId } = world;
      const baseDir = `/srv-small${slot}`;
      const disk = await mountSmallDisk(target, baseDir);
      const domain = `small.${target.name}.example.test`;
      const small = await addPlace(6, { name: 'small', base_dir: baseDir, domain });
      const { id, operation } = await system.addClient(sourceId);
      assert.match((await system.ended(operation)).state, /^succeeded/);
      const hostname = await hostnameOf(system, id);
      const write = (body: string) => ask(source, hostname, { path: '/notes', method: 'POST', body });
      await write('before');
      beforeTransfer = async () => {
        beforeTransfer = undefined;
        await disk.fill();
      };
      const moved = await startMove(system, { id, to: small });
      const isOver = ({ state, endedAt }: { state: string; endedAt: string | null }) =>
        state === 'holding' || endedAt !== null;
      const held = await system.until(moved, 'hold', isOver, 240_000);
      assert.deepEqual(
        [held.state, held.hold?.step, held.hold?.error.kind],
        ['holding', 'transfer', 'CapacityExceeded'],
        JSON.stringify(held),
      );
      assert.equal((await write('while it waits')).status, 201);
      await disk.free();
      const { status } = await system.call('POST', `/operations/${moved}/retry`, { note: 'disk freed' });
      assert.equal(status, 200);
      const view = await moveEnded(system, moved);
      assert.match(view.state, /^succeeded/, JSON.stringify(view));
      assert.deepEqual(await noteBodies(target, id), ['before', 'while it waits']);
      await removeClient(system, target, id);
      await disk.unmount();
    });

    it('copy_to brings environment and data into a demo client of another host, made harmless', async () => {
      const { system, source, target, sourceId, targetId } = world;
      const made = await Promise.all([
        system.addClient(sourceId),
        // by the image that the move has brought
        system.addClient(targetId, TARGET_FIELDS),
      ]);
      for (const { operation } of made) assert.match((await system.ended(operation)).state, /^succeeded/);
      const [from, to] = made;
      const copying = { system, source: { id: from.id, host: source }, target: { id: to.id, host: target } };
      await fillSource(system, copying.source);
      const contents = await clientContents(source, from.id);
      const env = await environmentOf(copying.target);
      const watch = watchNeighbour({ address: source.address, hostname: await hostnameOf(system, from.id) });
      const view = await moveEnded(system, await startCopy(copying, 'on_failure=rollback'));
      await watch.stop();
      await assertCopied(copying, view, env);
      assert.deepEqual(watch.disturbances(), []);
      assert.deepEqual(await clientContents(source, from.id), contents);
      const { body } = await system.call('GET', `/backups?client_id=${to.id}`);
      assert.equal((body['data'] as unknown as unknown[]).length, 1, 'of the target, as it was');
    });

    it('neither is begun where it cannot be', async () => {
      const { system, sourceId, targetId } = world;
      const [one, other] = await Promise.all([system.addClient(sourceId), system.addClient(targetId)]);
      for (const { operation } of [one, other])
        assert.match((await system.ended(operation)).state, /^succeeded/);
      const refused = async (path: string, expected: [number, string]) => {
        const { status, body } = await system.call('POST', `/clients/${path}`);
        assert.deepEqual([status, body['code']], expected, path);
      };
      await refused(`${one.id}/move_to/${sourceId}`, [422, 'invalid_input']);
      await refused(`${one.id}/move_to/999999`, [404, 'not_found']);
      await refused(`999999/move_to/${targetId}`, [404, 'not_found']);
      await refused(`${one.id}/copy_to/${one.id}`, [422, 'invalid_input']);
      // of kind client; and on no stage server
      await refused(`${one.id}/copy_to/${other.id}`, [422, 'invalid_input']);
      await refused(`${other.id}/copy_to/${one.id}`, [422, 'invalid_input']);
      await refused(`${one.id}/copy_to/999999`, [404, 'not_found']);
      await system.call('POST', '/servers', { id: String(targetId), active: '0' });
      await refused(`${one.id}/move_to/${targetId}`, [422, 'invalid_input']);
    });
  });
}
