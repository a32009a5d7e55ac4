import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { pollUntil } from '../../../process/poll.js';
import { census } from '../../support/census.js';
import { hostnameOf } from '../../support/client-checks.js';
import { databaseNameOf, readClientDatabase } from '../../support/client-database.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { openSystem, operationOf, type System } from '../../support/system.js';
import { startVisitors } from '../../support/visitors.js';

const NEW = '1.4-master';

for (const [slot, hostName] of [
  [142, 'maria'],
  [143, 'pg'],
] as const) {
  describe(`a rehearsal on ${hostName}`, { skip: noLab, concurrency: 4 }, () => {
    const host = noLab === false ? sharedHost(hostName) : (undefined as never);
    let system: System;
    let serverId: number;

    before(async () => {
      system = await openSystem({ slot });
      serverId = await system.addServer(host, { rehearse: 'migrate' });
    });
    after(() => system?.close());

    /** With settings of its own, and what can be seen of it. */
    async function addClient(settings: Record<string, string> = {}): Promise<number> {
      const { id, operation } = await system.addClient(serverId);
      assert.match((await system.ended(operation)).state, /^succeeded/);
      // in the file itself, which its container has mounted; of a key that is there twice the first counts
      const input = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
      const file = `/srv/docker/clients/client${id}/.env`;
      await host.exec(`new=$(cat - ${file}); printf '%s\\n' "$new" > ${file}`, { input: input.join('') });
      return id;
    }

    async function worldOf(id: number) {
      const all = await census(host);
      const own = (name: string) => new RegExp(`^client${id}(?![0-9])`).test(name);
      return {
        containers: all.containers.filter(
          ({ name, labels }) => own(name) || own(labels['slipway.client'] ?? ''),
        ),
        networks: all.networks.filter(({ name, labels }) => own(name) || own(labels['slipway.client'] ?? '')),
        databases: all.databases.filter(({ name }) => own(name)),
        sqlUsers: all.sqlUsers.filter(({ name }) => own(name)),
      };
    }

    const migrationsOf = (id: number) => readClientDatabase(host, id, 'SELECT migration FROM migrations');
    const visitorsOf = async (id: number) =>
      startVisitors({ address: host.address, hostname: await hostnameOf(system, id) });
    const switched = async (id: number, query = '') =>
      operationOf(await system.call('GET', `/clients/${id}/switch/${NEW}?${query}`));

    it('ends an operation whose migration fails, while the client serves; it reaches nothing beyond and sends nothing', async () => {
      const other = sharedHost(hostName === 'maria' ? 'pg' : 'maria');
      await host.exec(`: < /dev/tcp/${other.address}/22`);
      const outside = [`${other.address}:22`, '192.0.2.7:25'];
      const id = await addClient({
        SAMPLE_FAIL: 'migrate',
        SAMPLE_CALL: outside.join(','),
        MAIL_KEY: 'a-real-key',
      });
      const world = await worldOf(id);
      const migrations = await migrationsOf(id);
      const visitors = await visitorsOf(id);
      const operation = await switched(id);
      const view = await system.ended(operation);
      assert.deepEqual(visitors.seen(), ['1.3-master']);
      await visitors.stop();
      assert.equal(view.state, 'rolled_back', JSON.stringify(view));
      const { body } = await system.call('GET', `/operations/${operation}`);
      const { message: said, hint } = body['error'] as unknown as { message: string; hint: string };
      // in whatever order Docker hands on standard output and error
      assert.match(said, /migrated 0009_add_seen_to_notes/);
      assert.match(said, /migrate fails because SAMPLE_FAIL says so/);
      assert.match(hint, /serves on/);
      for (const address of outside) assert.ok(said.includes(`does not reach ${address}`), said);
      assert.match(said, /has a key for mails: false/);
      assert.ok(!view.steps.some(({ key }) => key === 'traffic-off'), JSON.stringify(view.steps));
      assert.deepEqual(view.leftovers, []);
      assert.deepEqual(await migrationsOf(id), migrations);
      assert.deepEqual(await worldOf(id), world);
      const notes = await readClientDatabase(host, id, 'SELECT body FROM notes');
      const written = notes.flat();
      assert.ok(visitors.confirmed().every((note) => written.includes(note)));
    });

    it('that goes well is followed by the change, and leaves nothing', async () => {
      const id = await addClient();
      const world = await worldOf(id);
      const plan = await system.call('GET', `/clients/${id}/switch/${NEW}?plan=true`);
      assert.equal(plan.status, 200);
      assert.match(JSON.stringify(plan.body), /migrate: there is room for it/);
      assert.match(JSON.stringify(plan.body), /Rehearse: run migrations there, while it serves/);
      const view = await system.ended(await switched(id));
      assert.equal(view.state, 'succeeded', JSON.stringify(view));
      const keys = view.steps.map(({ key }) => key);
      assert.ok(keys.indexOf('rehearsal') < keys.indexOf('traffic-off'), keys.join());
      assert.equal(await databaseNameOf(host, id), `client${id}`);
      const { containers, ...rest } = await worldOf(id);
      const { containers: before_, ...restBefore } = world;
      assert.deepEqual(rest, restBefore);
      assert.deepEqual(
        containers.map(({ name, image }) => [name, image]),
        before_.map(({ name, image }) => [name, image.replace('1.3-master', NEW)]),
      );
    });

    it('that is cancelled leaves nothing, and the client serves', async () => {
      const id = await addClient({ SAMPLE_MIGRATE_SECONDS: '60' });
      const world = await worldOf(id);
      const visitors = await visitorsOf(id);
      const operation = await switched(id);
      await system.until(operation, 'migration', ({ steps }) =>
        steps.some(({ key, state }) => key === 'rehearsal' && state === 'running'),
      );
      await pollUntil({
        what: 'migration in its container',
        deadlineMs: 30_000,
        probe: async () => (await worldOf(id)).containers.length === 2 || undefined,
      });
      await system.call('POST', `/operations/${operation}/cancel`);
      const view = await system.ended(operation);
      assert.equal(view.state, 'cancelled', JSON.stringify(view));
      assert.deepEqual(visitors.seen(), ['1.3-master']);
      await visitors.stop();
      assert.deepEqual(await worldOf(id), world);
    });

    it('of the restore alone, and none, as is asked for', async () => {
      const id = await addClient();
      for (const [wish, found] of [
        ['restore', ['rehearsal-spare', 'rehearsal-copy', 'rehearsal-drop']],
        ['off', []],
      ] as const) {
        const operation = operationOf(await system.call('GET', `/clients/${id}/migrate?rehearse=${wish}`));
        const view = await system.ended(operation);
        assert.equal(view.state, 'succeeded', JSON.stringify(view));
        const keys = view.steps.map(({ key }) => key).filter((key) => key.startsWith('rehearsal'));
        assert.deepEqual(keys, found);
      }
      const refused = await system.call('GET', `/clients/${id}/migrate?rehearse=perhaps`);
      assert.equal(refused.status, 422);
    });
  });
}
