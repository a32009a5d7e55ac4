import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { and, asc, eq, inArray, sql } from 'drizzle-orm';
import { createLicenseRecords } from '../../../activities/clients/licenses/license-records.js';
import { createMailActivities } from '../../../activities/clients/mail/activities.js';
import { createSmtpTransport, parseSmtpUrl } from '../../../activities/mail/transport.js';
import { loadProfiles } from '../../../activities/clients/product/profile.js';
import { createClientRecords } from '../../../activities/clients/records/client-records.js';
import { clients, licenseReminders, mails, operations, servers } from '../../../db/schema/index.js';
import { createSecrets, parseSecretKeys } from '../../../db/secrets.js';
import { DEFAULT_LIMITS } from '../../../worker/limits.js';
import { createWorker } from '../../../worker/worker.js';
import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { CLOCK_ACTOR } from '../../../workflows/contract/clients/licenses.js';
import { clientNames, newOperation } from '../../activities/fake-connections.js';
import { createStandIns } from '../../replay/stand-ins.js';
import { type CaughtMail, startMailServer } from '../../support/mail-server.js';
import { openServices, type Services, testBundle } from '../../support/services.js';

const HOUR_MS = 3_600_000;

/** A year of the clock in real sweeps and operations; only the clock, and the product's database, are the test's own. */
describe('a year of licences', () => {
  const secrets = createSecrets(parseSecretKeys('test key of sufficient length'));
  const taskQueue = `year-${randomBytes(4).toString('hex')}`;
  let services: Services;
  let mail: Awaited<ReturnType<typeof startMailServer>>;
  let worker: { stop(): Promise<void> } | undefined;
  let now: Date;
  let sweeps = 0;
  /** what was written into clients' databases: `<client> <status> <licence end>` */
  const written: string[] = [];

  before(async () => {
    services = await openServices();
    // subjects are workflow ids: other test files share the Temporal server
    const firstId = randomInt(1, 1_000_000) * 1_000;
    await services.database.db.execute(
      sql.raw(`alter table clients alter column id restart with ${firstId}`),
    );
    mail = await startMailServer();
    await startWorker();
  });
  after(async () => {
    await worker?.stop();
    await mail?.close();
    await services?.close();
  });

  async function startWorker(url = mail.url): Promise<void> {
    const { db } = services.database;
    const clock = { now: () => now };
    const standIns = createStandIns();
    const running = await createWorker({
      connection: services.native,
      namespace: 'default',
      taskQueue,
      workflowBundle: await testBundle(),
      db,
      secrets,
      limits: DEFAULT_LIMITS,
      retryWindowMs: 500,
      edits: {},
      activities: {
        servers: standIns.servers,
        clients: {
          ...standIns.clients,
          ...createClientRecords({ db, secrets, imageOf: () => 'sample' }),
          ...createLicenseRecords({ db, expiryHour: 9, graceDays: 0, ...clock }),
          ...createMailActivities({
            db,
            secrets,
            transport: createSmtpTransport(parseSmtpUrl(url)),
            profiles: loadProfiles(),
            from: 'cloud@vendor.example.test',
            ...clock,
          }),
          async writeCloudSettings({ names }: ClientThing) {
            const [row] = await db.select().from(clients).where(eq(clients.id, names.clientId));
            written.push(`${row?.name} ${row?.status} ${row?.licenseExpiresAt?.toISOString()}`);
          },
        },
      },
      log: { warn: () => undefined },
    });
    const done = running.run();
    worker = {
      async stop() {
        running.shutdown();
        await done;
      },
    };
  }

  /** clients of an earlier test are nobody's any more */
  async function beginAt(time: string): Promise<void> {
    await services.database.db.update(clients).set({ status: 'failed' });
    now = new Date(time);
  }

  async function addClient(name: string, timezone: string, end: string): Promise<number> {
    const { db } = services.database;
    const [server] = await db.select().from(servers).limit(1);
    const place = { name: 's', host: 'h', domain: 'example.test', sqlHost: 'h', sqlPort: 1, sqlUser: 'u' };
    const serverId =
      server?.id ??
      (
        await db
          .insert(servers)
          .values({ ...place, sqlPassword: 'p', product: 'sample' })
          .returning()
      )[0]?.id ??
      0;
    const fields = { adminLogin: 'ann', subdomain: name, versionTag: '1.0', billingType: 'test' };
    const [row] = await db
      .insert(clients)
      .values({
        ...fields,
        ...{ serverId, status: 'active', name, timezone, email: `${name}@example.test` },
        ...{ licenseExpiresAt: new Date(end), operationId: newOperation() },
      })
      .returning();
    const id = row?.id ?? 0;
    await db
      .update(clients)
      .set({ names: clientNames({ clientId: id, serverId }) })
      .where(eq(clients.id, id));
    return id;
  }

  const setEnd = (id: number, end: string) =>
    services.database.db
      .update(clients)
      .set({ licenseExpiresAt: new Date(end) })
      .where(eq(clients.id, id));
  const statusOf = async (id: number) =>
    (await services.database.db.select().from(clients).where(eq(clients.id, id)))[0]?.status;

  function startSweep() {
    sweeps += 1;
    return services.client.workflow.start('sweepExpiry', { workflowId: `${taskQueue}-${sweeps}`, taskQueue });
  }
  const sweep = async () => (await startSweep()).result();

  /** `<name> <days left>` of a mail as it came to the mail server */
  function told({ to, text }: CaughtMail): string {
    assert.match(text, /^Subject: \w+: the licence (ends soon|has ended)\r$/m);
    const left = /Days left: (\d+)/.exec(text)?.[1];
    return `${to[0]?.split('@')[0]} ${left ?? 'ended'}`;
  }

  it('tells each reminder once, over three outages of the worker and two changes of a date; locks and unlocks', async () => {
    now = new Date('2031-01-01T00:00:00Z');
    const ids = {
      york: await addClient('york', 'America/New_York', '2031-06-15T16:00:00Z'),
      nepal: await addClient('nepal', 'Asia/Kathmandu', '2031-04-09T18:15:00Z'),
      apia: await addClient('apia', 'Pacific/Apia', '2031-12-20T05:00:00Z'),
    };
    const outages = [
      ['2031-06-05T00:00:00Z', '2031-06-14T18:00:00Z'],
      ['2031-08-30T00:00:00Z', '2031-09-18T06:00:00Z'],
      ['2031-12-12T00:00:00Z', '2031-12-25T00:00:00Z'],
    ].map(([from, to]) => ({ from: new Date(from ?? ''), to: new Date(to ?? '') }));
    const changes = [
      { at: new Date('2031-04-05T00:00:00Z'), end: '2031-09-30T18:15:00Z' },
      { at: new Date('2031-10-03T00:00:00Z'), end: '2032-03-01T00:00:00Z' },
    ];
    const statuses: string[] = [];
    const got: string[] = [];
    for (const end = new Date('2032-01-01T00:00:00Z'); now < end; now = new Date(+now + 12 * HOUR_MS)) {
      const change = changes[0] && changes[0].at <= now ? changes.shift() : undefined;
      if (change !== undefined) await setEnd(ids.nepal, change.end);
      const outage = outages[0] && outages[0].from <= now ? outages.shift() : undefined;
      if (outage === undefined) await sweep();
      else {
        await worker?.stop();
        // started by its schedule, and found by the worker when it comes back
        const waiting = await startSweep();
        now = outage.to;
        await startWorker();
        await waiting.result();
      }
      got.push(...mail.mails.splice(0).map((one) => `${now.toISOString().slice(0, 10)} ${told(one)}`));
      for (const [name, id] of Object.entries(ids)) {
        const line = `${name} ${await statusOf(id)}`;
        if (statuses.findLast((one) => one.startsWith(name)) !== line) statuses.push(line);
      }
    }
    assert.deepEqual(got.sort(), [
      '2031-03-11 nepal 30',
      '2031-03-27 nepal 14',
      '2031-04-03 nepal 7',
      '2031-05-17 york 30',
      '2031-06-02 york 14',
      '2031-06-14 york 1',
      '2031-06-15 york ended',
      '2031-09-18 nepal 13',
      '2031-09-24 nepal 7',
      '2031-09-30 nepal 1',
      '2031-10-01 nepal ended',
      '2031-11-20 apia 30',
      '2031-12-06 apia 14',
      '2031-12-25 apia ended',
    ]);
    assert.deepEqual(statuses, [
      ...['york active', 'nepal active', 'apia active'],
      ...['york expired', 'nepal expired', 'nepal active', 'apia expired'],
    ]);
    assert.deepEqual(written, [
      'york active 2031-06-15T16:00:00.000Z',
      'nepal active 2031-09-30T18:15:00.000Z',
      'nepal expired 2032-03-01T00:00:00.000Z',
      'apia active 2031-12-20T05:00:00.000Z',
    ]);
    await assertRecorded(ids);
  });

  async function assertRecorded(ids: Record<string, number>): Promise<void> {
    const { db } = services.database;
    const reminders = await db
      .select()
      .from(licenseReminders)
      .where(inArray(licenseReminders.clientId, Object.values(ids)))
      .orderBy(asc(licenseReminders.clientId), asc(licenseReminders.licenseEnd), asc(licenseReminders.dueAt));
    const nameOf = new Map(Object.entries(ids).map(([name, id]) => [id, name]));
    const lines = reminders.map(
      ({ clientId, licenseEnd, days, state }) =>
        `${nameOf.get(clientId)} ${licenseEnd.toISOString().slice(0, 7)} ${days} ${state}`,
    );
    assert.deepEqual(lines, [
      ...['york 2031-06 30 sent', 'york 2031-06 14 sent', 'york 2031-06 7 superseded'],
      ...['york 2031-06 1 sent', 'york 2031-06 0 sent'],
      // the end was moved before the last two were due
      ...['nepal 2031-04 30 sent', 'nepal 2031-04 14 sent', 'nepal 2031-04 7 sent'],
      ...['nepal 2031-09 30 superseded', 'nepal 2031-09 14 sent', 'nepal 2031-09 7 sent'],
      ...['nepal 2031-09 1 sent', 'nepal 2031-09 0 sent'],
      ...[30, 14, 7, 1, 0].map((days) => `nepal 2032-03 ${days} planned`),
      ...['apia 2031-12 30 sent', 'apia 2031-12 14 sent', 'apia 2031-12 7 superseded'],
      ...['apia 2031-12 1 superseded', 'apia 2031-12 0 sent'],
    ]);
    const rows = await db.select().from(operations).where(eq(operations.actor, CLOCK_ACTOR));
    assert.equal(rows.filter(({ kind }) => kind === 'notify_expiry').length, 14);
    assert.ok(rows.every(({ state }) => state === 'succeeded'));
  }

  it('goes to busy clients an hour later, and to nobody twice when an operation’s record of it is lost', async () => {
    const { db } = services.database;
    await beginAt('2033-01-01T00:00:00Z');
    const id = await addClient('busy', 'UTC', '2033-02-10T12:00:00Z');
    await sweep();
    now = new Date('2033-01-11T09:00:00Z');
    const steps = [{ key: 'a', gate: true }];
    const holder = await services.client.workflow.start('scripted', {
      workflowId: `client:${id}`,
      taskQueue: `${taskQueue}-nobody`,
      args: [{ params: { subject: `client:${id}`, steps } }],
    });
    assert.deepEqual(await sweep(), { done: 0, failed: 0, busy: 1 });
    assert.deepEqual(mail.mails.splice(0), []);
    await holder.terminate('the test goes on');
    now = new Date('2033-01-11T10:00:00Z');
    assert.deepEqual(await sweep(), { done: 1, failed: 0, busy: 0 });
    assert.equal(mail.mails.splice(0).length, 1);
    // as when Postgres went back to before the reminder's own record
    const mine = and(eq(licenseReminders.clientId, id), eq(licenseReminders.days, 30));
    await db.update(licenseReminders).set({ state: 'planned' }).where(mine);
    assert.deepEqual(await sweep(), { done: 1, failed: 0, busy: 0 });
    assert.deepEqual(mail.mails.splice(0), []);
    const [row] = await db.select().from(licenseReminders).where(mine);
    assert.equal(row?.state, 'sent');
  });

  it('a reminder that may have been sent is shown so, and not repeated', async () => {
    const { db } = services.database;
    await beginAt('2034-01-01T00:00:00Z');
    const id = await addClient('maybe', 'UTC', '2034-02-10T12:00:00Z');
    await sweep();
    const effectKey = `expiry-${id}-20340210T120000000Z-30`;
    const common = { effectKey, clientId: id, template: 'send_expire', recipient: 'x', messageId: 'x' };
    await db.insert(mails).values({ ...common, state: 'sending' });
    now = new Date('2034-01-11T09:00:00Z');
    await sweep();
    await sweep();
    assert.deepEqual(mail.mails.splice(0), []);
    const where = and(eq(licenseReminders.clientId, id), eq(licenseReminders.days, 30));
    const [row] = await db.select().from(licenseReminders).where(where);
    assert.equal(row?.state, 'maybe_sent');
  });

  it('a mail server that is away is asked again the next hour; an address that is none is given up', async () => {
    const { db } = services.database;
    await beginAt('2035-01-01T00:00:00Z');
    const id = await addClient('away', 'UTC', '2035-02-10T12:00:00Z');
    const bad = await addClient('bad', 'UTC', '2035-02-10T12:00:00Z');
    await db.update(clients).set({ email: 'nobody' }).where(eq(clients.id, bad));
    await sweep();
    now = new Date('2035-01-11T09:00:00Z');
    await worker?.stop();
    await startWorker('smtp://127.0.0.1:9');
    assert.deepEqual(await sweep(), { done: 0, failed: 2, busy: 0 });
    await worker?.stop();
    await startWorker();
    now = new Date('2035-01-11T10:00:00Z');
    assert.deepEqual(await sweep(), { done: 1, failed: 0, busy: 0 });
    assert.deepEqual(
      mail.mails.splice(0).map(({ to }) => to),
      [['away@example.test']],
    );
    const states = await db
      .select()
      .from(licenseReminders)
      .where(and(inArray(licenseReminders.clientId, [id, bad]), eq(licenseReminders.days, 30)))
      .orderBy(asc(licenseReminders.clientId));
    assert.deepEqual(
      states.map(({ state }) => state),
      ['sent', 'failed'],
    );
    assert.match(states[1]?.error ?? '', /no usable mail address/);
  });
});
