import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { clients } from '../../../db/schema/index.js';
import { assertHealthy, hostnameOf } from '../../support/client-checks.js';
import { clientSnapshot } from '../../support/client-snapshot.js';
import { readClientDatabase } from '../../support/client-database.js';
import { HOSTILE_LINES } from '../../support/hostile-texts.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { getPage, type Watch, watchNeighbour } from '../../support/neighbour.js';
import { openSystem, type System } from '../../support/system.js';

for (const [slot, hostName] of [
  [60, 'maria'],
  [61, 'pg'],
] as const) {
  describe(`a client on ${hostName} is managed as the source document says`, { skip: noLab }, () => {
    let system: System;
    let serverId: number;
    let id: number;
    let watch: Watch;
    const email = `verbs${slot}@example.test`;
    const host = noLab === false ? sharedHost(hostName) : (undefined as never);

    before(async () => {
      system = await openSystem({ slot });
      serverId = await system.addServer(host);
      const [made, neighbour] = await Promise.all([
        system.addClient(serverId, { email }),
        system.addClient(serverId),
      ]);
      ({ id } = made);
      await assertHealthy({ system, host, id, view: await system.ended(made.operation) });
      assert.equal((await system.ended(neighbour.operation)).state, 'succeeded');
      watch = watchNeighbour({ address: host.address, hostname: await hostnameOf(system, neighbour.id) });
    });
    after(async () => {
      await watch?.stop();
      await system?.close();
      assert.deepEqual(watch?.disturbances(), []);
      assert.ok((watch?.asked() ?? 0) > 10);
    });

    it('GET demo_enable and demo_disable', async () => {
      const demoUsers = () => column('select count(*) from users where demo = 1');
      await done('GET', 'demo_enable');
      assert.deepEqual([await demoUsers(), (await row())['demo']], ['10', true]);
      await done('GET', 'demo_disable');
      assert.deepEqual([await demoUsers(), (await row())['demo']], ['0', false]);
    });

    it('GET maintain/1 and maintain/0', async () => {
      const at = async () => [(await page()).status, (await row())['status'], await setting('maintenance')];
      assert.deepEqual(await at(), [200, 'active', '0']);
      await done('GET', 'maintain/1');
      assert.deepEqual(await at(), [503, 'maintenance', '1']);
      assert.match((await page()).text, /Maintenance in progress/);
      await done('GET', 'maintain/0');
      assert.deepEqual(await at(), [200, 'active', '0']);
    });

    it('GET reboot restarts the container, and nothing else', async () => {
      const startedAt = async () =>
        (await host.exec(`docker inspect -f '{{.Id}} {{.State.StartedAt}}' client${id}`)).stdout.split(' ');
      const [container, time] = await startedAt();
      await done('GET', 'reboot');
      const [same, later] = await startedAt();
      assert.equal(same, container);
      assert.notEqual(later, time);
      assert.equal((await page()).status, 200);
    });

    it('GET pause and resume: stopped over a restart of Docker, shown, and as it was afterwards', async () => {
      const running = async () =>
        (await host.exec(`docker inspect -f '{{.State.Running}}' client${id}`)).stdout.trim();
      const before = await clientSnapshot(system, host, id);
      await done('GET', 'pause');
      assert.deepEqual(
        [await running(), (await page()).status, (await row())['status']],
        ['false', 503, 'paused'],
      );
      const refused = await system.call('GET', `/clients/${id}/reboot`);
      assert.equal(refused.status, 409, 'it is resumed first');
      await done('GET', 'resume');
      assert.deepEqual(
        [await running(), (await page()).status, (await row())['status']],
        ['true', 200, 'active'],
      );
      assert.deepEqual(await clientSnapshot(system, host, id), before);
      const { body } = await system.call('GET', `/operations?client=${id}&kind=resume_client`);
      assert.match(JSON.stringify(body['data']), /Resume client/);
    });

    it('GET send_success and send_expire', async () => {
      const known = system.mails.length;
      await done('GET', 'send_success');
      await done('GET', 'send_expire');
      const mails = system.mails.slice(known).filter(({ to }) => to.includes(email));
      assert.deepEqual(mails.length, 2);
      assert.match(mails[0]?.text ?? '', /is ready/);
      assert.doesNotMatch(mails[0]?.text ?? '', /Correct-horse/, 'told once, and erased since');
      assert.match(mails[1]?.text ?? '', /licence ends soon/);
    });

    it('POST expire_date locks and unlocks through the database of the client, and keeps who did it', async () => {
      await done('POST', 'expire_date', { sender: 'Jo Doe', license_expires_at: '2020-01-31 18:00:00' });
      assert.equal((await page()).status, 403);
      const { db } = system.database;
      await db.update(clients).set({ status: 'expired' }).where(eq(clients.id, id));
      await done('POST', 'expire_date', {
        sender: "O'Neil $(id)",
        license_expires_at: '2033-01-31 18:00:00',
      });
      // in the client's own time zone, Moscow
      const end = '2033-01-31T15:00:00.000Z';
      const { status, license_expires_at: stored } = await row();
      assert.deepEqual([status, stored, await setting('license_expires_at')], ['active', end, end]);
      assert.equal((await page()).status, 200);
      const { body } = await system.call('GET', `/audit?subject=client:${id}`);
      const entries = body['data'] as unknown as { route: string; detail: { sender?: string } | null }[];
      assert.deepEqual(
        entries.filter(({ route }) => route.endsWith('expire_date')).map(({ detail }) => detail?.sender),
        ["O'Neil $(id)", 'Jo Doe'],
      );
    });

    it('PUT carries hostile values literally, and stores at once what is only ours', async () => {
      const stored = await system.call('PUT', `/clients/${id}`, { phone: '+1 555 0199', kind: 'test' });
      assert.deepEqual(
        [stored.status, stored.body['phone'], stored.body['kind']],
        [200, '+1 555 0199', 'test'],
      );
      const { quotes, substitution, sql, percent, backticks } = HOSTILE_LINES;
      const name = `${quotes} ${substitution} ${percent}`;
      const fields = { name, admin_f: `${sql}`, admin_i: `${backticks}`, config: `a\r\n${substitution}` };
      await ended(await system.call('PUT', `/clients/${id}`, { ...fields, subdomain: `put${slot}` }));
      const { body } = await system.call('GET', `/clients/${id}`);
      for (const [field, value] of Object.entries(fields)) assert.equal(body[field], value, field);
      assert.equal(await hexColumn('select name from laboratories'), name);
      assert.equal(await hexColumn("select surname from users where login = 'chief'"), fields.admin_f);
      assert.equal(await hexColumn("select name from users where login = 'chief'"), fields.admin_i);
      assert.equal(await hexColumn("select value from cloud_settings where name = 'config'"), fields.config);
      const { stdout } = await host.exec(`docker exec client${id} artisan env:show`);
      const env = JSON.parse(stdout) as Record<string, string>;
      assert.equal(env['APP_NAME'], name);
      assert.match(await hostnameOf(system, id), new RegExp(`^put${slot}\\.`));
      assert.match(env['APP_URL'] ?? '', new RegExp(`//put${slot}\\.`));
      assert.equal((await page()).status, 200);
    });

    it('a command that fails leaves the client as it was', async () => {
      const failing = 'demo:enable,cloud:base';
      await setFailing(failing);
      const before = await clientSnapshot(system, host, id);
      for (const [method, path, fields] of [
        ['POST', 'demo_enable', undefined],
        ['PUT', '', { license: 'other', admin_f: 'Other', subdomain: `other${slot}` }],
      ] as const) {
        const answer = await system.call(method, `/clients/${id}/${path}?on_failure=rollback`, fields);
        assert.equal(answer.status, 202, JSON.stringify(answer.body));
        const operation = (answer.body['operation'] as unknown as { id: string }).id;
        const view = await system.ended(operation);
        // the product cannot take back what it refuses to do
        assert.match(view.state, /^rolled_back$|^rollback_incomplete$/);
        if (view.state === 'rollback_incomplete') {
          await setFailing('');
          await ended(await system.call('POST', `/operations/${operation}/cleanup`));
          await setFailing(failing);
        }
        assert.deepEqual(await clientSnapshot(system, host, id), before, path);
      }
      await setFailing('');
    });

    /** Commands of the product that fail from now on; written over in place, so that the container sees it too. */
    async function setFailing(names: string): Promise<void> {
      await host.exec(`
cd /srv/docker/clients/client${id}
text=$(sed 's/^SAMPLE_FAIL=.*/SAMPLE_FAIL=${names === '' ? '' : `"${names}"`}/' .env)
printf '%s\\n' "$text" > .env`);
    }

    async function done(method: string, path: string, fields?: Record<string, string>): Promise<void> {
      const answer = await system.call(method, `/clients/${id}/${path}`, fields);
      assert.equal(answer.headers.get('cache-control'), 'no-store');
      await ended(answer);
    }

    async function ended({ status, body }: Awaited<ReturnType<System['call']>>): Promise<void> {
      assert.equal(status, 202, JSON.stringify(body));
      const view = await system.ended((body['operation'] as unknown as { id: string }).id);
      assert.equal(view.state, 'succeeded', JSON.stringify(view));
    }

    async function row(): Promise<Record<string, unknown>> {
      return (await system.call('GET', `/clients/${id}`)).body;
    }

    async function page() {
      return getPage({ address: host.address, hostname: await hostnameOf(system, id) });
    }

    async function column(query: string): Promise<string | undefined> {
      return (await readClientDatabase(host, id, query))[0]?.[0];
    }

    function setting(name: string): Promise<string | undefined> {
      return column(`select value from cloud_settings where name = '${name}'`);
    }

    /** Through hexadecimal digits, so that no client of the engine writes it in its own way. */
    async function hexColumn(query: string): Promise<string> {
      const [, expression, rest] = /^select (\w+) (.*)$/.exec(query) ?? [];
      const hex =
        host.sqlEngine === 'mariadb'
          ? `hex(${expression})`
          : `encode(convert_to(${expression}, 'UTF8'), 'hex')`;
      return Buffer.from((await column(`select ${hex} ${rest}`)) ?? '', 'hex').toString('utf8');
    }
  });
}
