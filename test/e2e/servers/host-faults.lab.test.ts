import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { clients, operations } from '../../../db/schema/index.js';
import { toolsDir } from '../../../start/tools/config.js';
import { type LabHost, startLabHost } from '../../../lab/host.js';
import { deliverProduct } from '../../../lab/product/deliver.js';
import { buildSampleImage } from '../../../lab/product/image.js';
import type { OperationView } from '../../../workflows/contract/operation/operation.js';
import { assertGone, assertHealthy, hostnameOf, removeClient } from '../../support/client-checks.js';
import { census, traces } from '../../support/census.js';
import { noLab, sharedLab } from '../../support/lab.js';
import { watchNeighbour } from '../../support/neighbour.js';
import { openSystem, type System } from '../../support/system.js';

const IMAGE = 'slipway-sample:1.3-master';
const VERSION = '1.3-master';
/** Every session ends with it, as when the machine's administrator restarts all of it. */
const END_SSHD = 'lab-service stop ssh; pkill -KILL sshd || true';

/** One after another, on a host of their own: they break what all clients on it share. */
describe('a create, when its server', { skip: noLab, concurrency: false }, () => {
  let system: System;
  let host: LabHost;
  let serverId: number;
  let image: string;
  /** what happens to the host just before a step's first attempt */
  let strikes: { step: string; strike: (port: number) => Promise<unknown> } | undefined;

  before(async () => {
    const log = (): void => undefined;
    image = await buildSampleImage({ version: VERSION, cacheDir: join(toolsDir, 'sample-product'), log });
    const authorizedKey = await readFile(`${sharedLab().sshKeyFile}.pub`, 'utf8');
    host = await startLabHost({
      ...{ name: `faults${process.pid}`, sql: 'mariadb', compose: 'v2' },
      ...{ authorizedKey, log, images: [image] },
    });
    await deliverProduct(host);
    system = await openSystem({
      slot: 54,
      async inject(point, { step, phase, subject }) {
        if (point !== 'before' || phase !== 'do' || strikes?.step !== step) return;
        const { strike } = strikes;
        strikes = undefined;
        await strike(await portOf(Number(subject.slice('client:'.length))));
      },
    });
    serverId = await system.addServer(host);
  });
  after(async () => {
    await system?.close();
    await host?.stop();
  });

  async function portOf(id: number): Promise<number> {
    const [row] = await system.database.db
      .select({ port: clients.port })
      .from(clients)
      .where(eq(clients.id, id));
    return row?.port ?? 0;
  }

  async function held(operation: string): Promise<OperationView> {
    const view = await system.until(
      operation,
      'hold',
      ({ state, endedAt }) => state === 'holding' || endedAt !== null,
    );
    assert.equal(view.state, 'holding', JSON.stringify(view));
    return view;
  }

  /** the operator says that it is mended; the client is well, then gone */
  async function mended({ id, operation }: { id: number; operation: string }): Promise<void> {
    const { status, body } = await system.call('POST', `/operations/${operation}/retry`, { note: 'mended' });
    assert.ok(status < 300, JSON.stringify(body));
    await assertHealthy({ system, host, id, view: await system.ended(operation) });
    await removeClient(system, host, id);
  }

  it('shows another host key: HostKeyMismatch after one attempt, a hold, and on with the key that a person confirms', async () => {
    await host.exec(`${END_SSHD}; rm /etc/ssh/ssh_host_*; ssh-keygen -qA; lab-service start ssh`);
    const made = await system.addClient(serverId);
    const { hold, steps } = await held(made.operation);
    assert.equal(hold?.error.kind, 'HostKeyMismatch');
    assert.deepEqual(
      steps.filter(({ key }) => key === hold?.step).map(({ attempt }) => attempt),
      [1],
    );
    assert.deepEqual(traces(await census(host), `client${made.id}`), []);
    const { stdout } = await host.exec('ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub');
    const [, shown = ''] = stdout.split(' ');
    assert.ok(hold?.error.message.includes(shown), hold?.error.message);
    await system.addServer(host, { id: String(serverId), ssh_host_key: shown });
    await mended(made);
  });

  it('refuses the key: one login, then a hold, so that nobody is locked out by retries', async () => {
    const keys = '/var/www/.ssh/authorized_keys';
    await host.exec(`mv ${keys} ${keys}.away; ${END_SSHD}; : > /var/log/lab/sshd.log; lab-service start ssh`);
    const made = await system.addClient(serverId);
    const { hold } = await held(made.operation);
    assert.equal(hold?.error.kind, 'Unauthorized');
    assert.match(hold?.error.hint ?? '', /authorized_keys/);
    const refused = await host.exec('grep -c "authenticating user www-data" /var/log/lab/sshd.log');
    assert.equal(refused.stdout.trim(), '1');
    await host.exec(`mv ${keys}.away ${keys}`);
    await mended(made);
  });

  it('has no sshd for a while: it goes on by itself', async () => {
    strikes = { step: 'files', strike: () => host.exec(END_SSHD) };
    const { id, operation } = await system.addClient(serverId);
    const filesOf = ({ steps }: OperationView) => steps.find(({ key }) => key === 'files');
    await system.until(operation, 'a try that failed', (view) => {
      const files = filesOf(view);
      return files?.state === 'retrying' || (files?.attempt ?? 0) > 1;
    });
    await host.exec('lab-service start ssh');
    const view = await system.ended(operation);
    await assertHealthy({ system, host, id, view });
    assert.ok((filesOf(view)?.attempt ?? 0) > 1, JSON.stringify(view.steps));
    await removeClient(system, host, id);
  });

  it('loses its Docker as the container is to start: up again, one container of that name', async () => {
    strikes = {
      step: 'container',
      strike: () => {
        setTimeout(() => void host.exec('lab-service kill docker; lab-service start docker'), 50);
        return Promise.resolve();
      },
    };
    const { id, operation } = await system.addClient(serverId);
    await assertHealthy({ system, host, id, view: await system.ended(operation) });
    await removeClient(system, host, id);
  });

  it('has lost the image meanwhile: nothing is pulled, a hold says what to do', async () => {
    strikes = { step: 'container', strike: () => host.exec(`docker rmi -f ${IMAGE}`) };
    const made = await system.addClient(serverId);
    const { hold } = await held(made.operation);
    assert.deepEqual([hold?.step, hold?.error.kind], ['container', 'CommandFailed']);
    assert.match(hold?.error.hint ?? '', /build it again/);
    await host.loadImage(image);
    await mended(made);
  });

  for (const step of ['check-host', 'container']) {
    it(`has a stranger on the client's port before ${step}: Conflict, undone, no loop`, async () => {
      let port = 0;
      strikes = {
        step,
        strike: (taken) => {
          port = taken;
          return host.exec(`mkdir -p /tmp/stranger && busybox httpd -p 127.0.0.1:${port} -h /tmp/stranger`);
        },
      };
      const { id, operation } = await system.addClient(serverId);
      const view = await system.ended(operation);
      await host.exec(`pkill -f 'busybox httpd -p 127.0.0.1:${port} '`);
      await assertGone({ system, host, id, view }, 'rolled_back');
      const [row] = await system.database.db.select().from(operations).where(eq(operations.id, operation));
      assert.deepEqual([row?.failedStep, row?.error?.kind], [step, 'Conflict']);
      assert.match(row?.error?.message ?? '', new RegExp(`${port}`));
    });
  }

  it("has a neighbour's broken file in nginx: what is served stays served, ours goes in once it is mended", async () => {
    const neighbour = await system.addClient(serverId);
    assert.equal((await system.ended(neighbour.operation)).state, 'succeeded');
    const watch = watchNeighbour({ address: host.address, hostname: await hostnameOf(system, neighbour.id) });
    const conf = '/etc/nginx/conf.d/zz-neighbour.conf';
    strikes = { step: 'vhost', strike: () => host.exec(`echo 'server { bogus; }' > ${conf}`) };
    const made = await system.addClient(serverId);
    const { hold } = await held(made.operation);
    assert.deepEqual([hold?.step, hold?.error.kind], ['vhost', 'CommandFailed']);
    assert.match(hold?.error.message ?? '', /neighbour.*zz-neighbour\.conf/s);
    assert.deepEqual((await census(host)).vhostFiles.sort(), [
      `client${neighbour.id}.conf`,
      'zz-neighbour.conf',
    ]);
    await host.exec(`rm ${conf}`);
    await mended(made);
    await watch.stop();
    assert.deepEqual(watch.disturbances(), []);
    assert.ok(watch.asked() > 5);
    await removeClient(system, host, neighbour.id);
  });
});
