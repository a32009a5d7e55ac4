import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { clients, notices, operations, servers } from '../../../db/schema/index.js';
import { type AcmeServer, startAcme } from '../../../lab/acme.js';
import { pollUntil } from '../../../process/poll.js';
import { NIGHTLY_ACTOR } from '../../../workflows/contract/operation/cleanup.js';
import { hostnameOf, removeClient } from '../../support/client-checks.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { getPage } from '../../support/neighbour.js';
import { askOverTls } from '../../support/over-tls.js';
import { openSystem, type System } from '../../support/system.js';

describe('by the clock, on a real host', { skip: noLab, concurrency: false }, () => {
  let system: System;
  let acme: AcmeServer;
  let dir: string;
  let serverId: number;
  let sweeps = 0;
  /** one with a certificate, one that got none at first */
  let secured: number;
  let plain: number;
  const host = noLab === false ? sharedHost('maria') : (undefined as never);

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'slipway-acme-'));
    await chmod(dir, 0o711);
    acme = await startAcme({ dir, address: host.gateway, log: () => undefined });
    // as `update-ca-certificates` leaves it
    await host.exec('cat >> /etc/ssl/certs/ca-certificates.crt', { input: acme.ca });
    system = await openSystem({ slot: 110, acme: { directory: acme.directory, email: 'ops@example.test' } });
    serverId = await system.addServer(host, { tls: 'auto' });
  });
  after(async () => {
    await system?.close();
    await acme?.close();
    await rm(dir, { recursive: true, force: true });
  });

  const domain = `${host?.name}.example.test`;
  const rowOf = async (id: number) => {
    const [row] = await system.database.db.select().from(clients).where(eq(clients.id, id));
    assert.ok(row);
    return row;
  };
  const change = (id: number, values: Partial<typeof clients.$inferInsert>) =>
    system.database.db.update(clients).set(values).where(eq(clients.id, id));
  const page = async (id: number) =>
    getPage({ address: host.address, hostname: await hostnameOf(system, id) });

  function sweep<Result>(workflow: string): Promise<Result> {
    sweeps += 1;
    const workflowId = `${system.taskQueue}-${workflow}-${sweeps}`;
    return system.client.workflow.execute(workflow, { workflowId, taskQueue: system.taskQueue });
  }

  const overTls = (hostname: string) => askOverTls({ address: host.address, hostname });

  it('a new client gets a certificate, and nginx serves it under the right name', async () => {
    const subdomain = `tls${Date.now().toString(36)}`;
    const hostname = `${subdomain}.${domain}`;
    await acme.setName(hostname, host.address);
    const { id, operation } = await system.addClient(serverId, { subdomain, name: 'Secured laboratory' });
    secured = id;
    const view = await system.ended(operation);
    assert.equal(view.state, 'succeeded', JSON.stringify(view));
    assert.deepEqual(view.result, { url: `https://${hostname}/` });
    const { issuer, names, answer } = await overTls(hostname);
    assert.match(issuer, /^Pebble /);
    assert.equal(names, `DNS:${hostname}`);
    assert.match(answer, /^HTTP\/1\.1 200 /);
    assert.match(answer, /Secured laboratory/);
    assert.equal((await page(id)).status, 308);
    const row = await rowOf(id);
    assert.equal(row.certificate, 'issued');
    assert.ok((row.certificateExpiresAt?.getTime() ?? 0) > Date.now() + 30 * 86_400_000);
    const renewal = await host.exec(`cat /etc/letsencrypt/renewal/${hostname}.conf`);
    assert.match(renewal.stdout, /renew_hook = \/usr\/sbin\/nginx -s reload/);
    assert.match(renewal.stdout, /authenticator = webroot/);
  });

  it('a name that is not in the DNS is a warning: the site serves on http, people are told once', async () => {
    const { id, operation } = await system.addClient(serverId);
    plain = id;
    const view = await system.ended(operation);
    assert.equal(view.state, 'succeeded_with_warnings', JSON.stringify(view));
    assert.deepEqual(
      view.warnings.map(({ step }) => step),
      ['certificate'],
    );
    assert.match(view.warnings[0]?.message ?? '', /not in the DNS yet/);
    assert.equal((await page(id)).status, 200);
    const row = await rowOf(id);
    assert.equal(row.certificate, 'failed');
    assert.match(row.certificateError ?? '', /not in the DNS yet/);
    const told = await system.database.db.select().from(notices).where(eq(notices.operationId, operation));
    assert.deepEqual(
      told.map((notice) => notice.id),
      [`${operation}:certificate`],
    );
  });

  it('an authority that limits is asked again the next night, which heals it; nobody is told twice', async () => {
    const hostname = await hostnameOf(system, plain);
    await acme.setName(hostname, host.address);
    acme.limit(true);
    const limited = await sweep<{ certificates: object }>('sweepNightly');
    acme.limit(false);
    assert.deepEqual(limited.certificates, { issued: 0, failed: 1, busy: 0 });
    assert.match((await rowOf(plain)).certificateError ?? '', /limits how often/);
    assert.equal((await page(plain)).status, 200);
    const night = await sweep<{ certificates: object }>('sweepNightly');
    assert.deepEqual(night.certificates, { issued: 1, failed: 0, busy: 0 });
    assert.equal((await rowOf(plain)).certificate, 'issued');
    assert.equal((await rowOf(plain)).certificateError, null);
    assert.equal((await overTls(hostname)).names, `DNS:${hostname}`);
    const { db } = system.database;
    const tries = await db
      .select()
      .from(operations)
      .where(eq(operations.actor, NIGHTLY_ACTOR))
      .orderBy(operations.id);
    assert.deepEqual(
      tries.map(({ kind, state }) => `${kind} ${state}`),
      ['issue_certificate rolled_back', 'issue_certificate succeeded'],
    );
    assert.equal((await db.select().from(notices)).length, 1);
    // nothing is due any more
    const quiet = await sweep<{ certificates: object }>('sweepNightly');
    assert.deepEqual(quiet.certificates, { issued: 0, failed: 0, busy: 0 });
  });

  it('asks every client, and says since when and why one does not answer', async () => {
    await sweep('sweepAvailability');
    const before = await rowOf(secured);
    assert.equal(before.available, true);
    await host.exec(`docker stop -t 0 client${secured}`);
    await sweep('sweepAvailability');
    const down = await rowOf(secured);
    assert.equal(down.available, false);
    assert.match(down.availableError ?? '', /answers 50[24]/);
    assert.ok((down.availableSince ?? 0) > (before.availableSince ?? 0));
    assert.equal((await rowOf(plain)).available, true);
    await sweep('sweepAvailability');
    const still = await rowOf(secured);
    assert.deepEqual(still.availableSince, down.availableSince);
    assert.ok((still.availableCheckedAt ?? 0) > (down.availableCheckedAt ?? 0));
    const { body } = await system.call('GET', `/clients/${secured}`);
    assert.deepEqual(
      [body['available'], body['available_error'], body['available_since']],
      [false, down.availableError, down.availableSince?.toISOString()],
    );
    await host.exec(`docker start client${secured}`);
    const health = `docker inspect -f '{{.State.Health.Status}}' client${secured}`;
    await pollUntil({
      what: 'the client is healthy again',
      deadlineMs: 60_000,
      everyMs: 200, // each is an exec
      probe: async () => (await host.exec(health)).stdout.trim() === 'healthy' || undefined,
    });
    await sweep('sweepAvailability');
    assert.equal((await rowOf(secured)).available, true);
    assert.equal((await rowOf(secured)).availableError, down.availableError);
  });

  it('counts users daily; what cannot be counted keeps its number', async () => {
    assert.deepEqual(await sweep('sweepUsers'), { counted: 2, failed: 0 });
    assert.equal((await rowOf(secured)).users, 1);
    await change(plain, { users: 17 });
    const file = `/srv/docker/clients/client${plain}`;
    await host.exec(`mv ${file} ${file}.away`);
    try {
      assert.deepEqual(await sweep('sweepUsers'), { counted: 1, failed: 1 });
    } finally {
      await host.exec(`mv ${file}.away ${file}`);
    }
    assert.equal((await rowOf(plain)).users, 17);
    const left = await host.exec('docker ps -a --format {{.Names}} | grep count-users || true');
    assert.equal(left.stdout, '');
  });

  it('locks a client whose licence has ended, and unlocks it for a new date', async () => {
    const hostname = await hostnameOf(system, secured);
    // so long ago that no reminder of the day is due beside it, whatever the hour
    await change(secured, { licenseExpiresAt: new Date(Date.now() - 2 * 86_400_000) });
    assert.deepEqual(await sweep('sweepExpiry'), { done: 1, failed: 0, busy: 0 });
    assert.equal((await rowOf(secured)).status, 'expired');
    assert.match((await overTls(hostname)).answer, /^HTTP\/1\.1 403 [\s\S]*licence has expired/);
    await change(secured, { licenseExpiresAt: new Date(Date.now() + 90 * 86_400_000) });
    assert.deepEqual(await sweep('sweepExpiry'), { done: 1, failed: 0, busy: 0 });
    assert.equal((await rowOf(secured)).status, 'active');
    assert.match((await overTls(hostname)).answer, /^HTTP\/1\.1 200 /);
  });

  it('a delete takes the certificate along', async () => {
    const hostname = await hostnameOf(system, secured);
    await removeClient(system, host, secured);
    const left = await host.exec(`find /etc/letsencrypt -name '*${hostname}*'`);
    assert.equal(left.stdout, '');
    await system.database.db.update(servers).set({ tls: 'off' }).where(eq(servers.id, serverId));
    await removeClient(system, host, plain);
  });
});
