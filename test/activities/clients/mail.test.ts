import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { eq } from 'drizzle-orm';
import * as fc from 'fast-check';
import postgres from 'postgres';
import { SMTPServer } from 'smtp-server';
import { isMailAddress } from '../../../activities/mail/address.js';
import { createMailActivities } from '../../../activities/clients/mail/activities.js';
import { renderMail } from '../../../activities/mail/message.js';
import { createSmtpTransport, parseSmtpUrl } from '../../../activities/mail/transport.js';
import { loadProfiles } from '../../../activities/clients/product/profile.js';
import { type Database, openDatabase } from '../../../db/database.js';
import { migrateDatabase } from '../../../db/migrate.js';
import { clients, mails, secrets as secretRows, servers } from '../../../db/schema/index.js';
import { createSecrets, parseSecretKeys } from '../../../db/secrets.js';
import { freePort } from '../../../process/free-port.js';
import { startPostgres } from '../../../start/services/postgres.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';
import { effectKey, type StepContext } from '../../../workflows/contract/operation/step.js';
import { newOperation, stepContext } from '../fake-connections.js';

const FROM = 'cloud@vendor.example.test';
const PASSWORD = 'Tr<i>cky & "quoted" 1';

type Behaviour =
  | 'accept'
  | 'reject-recipient'
  | 'defer-recipient'
  | 'reject-text'
  | 'defer-text'
  | 'cut-before-text'
  | 'cut-after-text';

/** A mail server that does what it is told, and keeps what it took. */
interface MailServer {
  port: number;
  behaviour: Behaviour;
  taken: string[];
  /** how many texts it has read to their end, taken or not */
  read: number;
  close(): Promise<void>;
}

const refusal = (responseCode: number, text: string) => Object.assign(new Error(text), { responseCode });

async function startMailServer(): Promise<MailServer> {
  const cut = (): void => {
    for (const connection of server.connections as Set<{ _socket: { destroy(): void } }>)
      connection._socket.destroy();
  };
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onRcptTo({ address }, _session, done) {
      if (mailServer.behaviour === 'cut-before-text') return cut();
      if (mailServer.behaviour === 'reject-recipient') return done(refusal(550, `no such user <${address}>`));
      if (mailServer.behaviour === 'defer-recipient') return done(refusal(451, `try later <${address}>`));
      return done();
    },
    onData(stream, _session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        mailServer.read += 1;
        if (mailServer.behaviour === 'cut-after-text') return cut();
        if (mailServer.behaviour === 'reject-text') return done(refusal(554, 'spam'));
        if (mailServer.behaviour === 'defer-text') return done(refusal(452, 'full'));
        mailServer.taken.push(Buffer.concat(chunks).toString());
        return done();
      });
    },
  });
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const mailServer: MailServer = {
    port: (server.server.address() as AddressInfo).port,
    behaviour: 'accept',
    taken: [],
    read: 0,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
  return mailServer;
}

interface Message {
  head: string;
  text: string;
  html: string;
}

function readMessage(raw: string): Message {
  const [head = ''] = raw.split('\r\n\r\n');
  const boundary = /boundary="([^"]+)"/.exec(head)?.[1] ?? '';
  const parts = raw
    .split(`--${boundary}`)
    .slice(1, -1)
    .map((part) => {
      const [partHead = '', ...body] = part.split('\r\n\r\n');
      const encoded = body.join('\r\n\r\n');
      if (/base64/.test(partHead)) return Buffer.from(encoded, 'base64').toString();
      if (!/quoted-printable/.test(partHead)) return encoded;
      const bytes = encoded
        .replaceAll('=\r\n', '')
        .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
      return Buffer.from(bytes, 'latin1').toString();
    });
  return { head: head.replaceAll('\r\n ', ' '), text: parts[0] ?? '', html: parts[1] ?? '' };
}

const step = () => stepContext(newOperation(), { step: 'mail' });

describe('mails to clients', () => {
  const secrets = createSecrets(parseSecretKeys('a key of this test'));
  let directory: string;
  let database: Database;
  let stopPostgres: (() => Promise<void>) | undefined;
  let server: MailServer;
  let serverId: number;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'slipway-mail-'));
    const url = await makeDatabase();
    await migrateDatabase(url);
    database = openDatabase({ url, poolSize: 3 });
    const row = {
      name: 's',
      host: 'mail-test',
      domain: 'example.test',
      sqlHost: 'h',
      sqlPort: 1,
      sqlUser: 'u',
      sqlPassword: 's',
      product: 'sample',
    };
    const [inserted] = await database.db.insert(servers).values(row).returning();
    serverId = inserted?.id ?? 0;
  });
  after(async () => {
    await database.close();
    await stopPostgres?.();
    await rm(directory, { recursive: true, force: true });
  });
  beforeEach(async () => {
    server = await startMailServer();
  });
  afterEach(() => server.close());

  /** The run's shared server when there is one, else one of its own. */
  async function makeDatabase(): Promise<string> {
    let shared = process.env['SLIPWAY_TEST_POSTGRES'];
    if (shared === undefined) {
      const own = await startPostgres({ dir: directory, persistent: false, log: () => undefined });
      stopPostgres = () => own.stop();
      shared = own.url;
    }
    const name = `mail_${newOperation().toLowerCase()}`;
    const sql = postgres(shared, { max: 1, onnotice: () => undefined });
    await sql.unsafe(`create database ${name}`);
    await sql.end();
    return Object.assign(new URL(shared), { pathname: `/${name}` }).href;
  }

  function activities(port = server.port) {
    const transport = createSmtpTransport({ host: '127.0.0.1', port, secure: false });
    return createMailActivities({
      db: database.db,
      secrets,
      transport,
      profiles: loadProfiles(),
      from: FROM,
    });
  }

  interface NewClient {
    password?: string;
    given?: boolean;
    name?: string;
    email?: string;
  }

  async function makeClient({
    password = PASSWORD,
    given = true,
    name = 'Acme <Lab>',
    email = 'admin@client.example.test',
  }: NewClient = {}) {
    const [row] = await database.db
      .insert(clients)
      .values({
        serverId,
        status: 'active',
        name,
        email,
        adminLogin: 'jane',
        adminPasswordGiven: given,
        subdomain: `s${newOperation().toLowerCase()}`,
        versionTag: '1.0',
        billingType: 'test',
        timezone: 'Asia/Tokyo',
        licenseExpiresAt: new Date('2031-05-04T20:00:00Z'),
      })
      .returning();
    const id = row?.id ?? 0;
    const place = { owner: `clients/${id}`, name: 'admin_password' };
    const secret = await secrets.store(database.db, place, password);
    await database.db.update(clients).set({ adminPassword: secret }).where(eq(clients.id, id));
    return { id, secret, subdomain: row?.subdomain ?? '' };
  }

  const send = (
    clientId: number,
    context: StepContext,
    template: 'send_success' | 'send_expire' = 'send_success',
  ) => activities().sendClientMail({ clientId, template }, context);
  const mailRow = async (context: StepContext) =>
    (
      await database.db
        .select()
        .from(mails)
        .where(eq(mails.effectKey, effectKey(context)))
    )[0];
  const storedPassword = async (clientId: number, secret: string) => ({
    row: (await database.db.select().from(clients).where(eq(clients.id, clientId)))[0]?.adminPassword,
    secret: (await database.db.select().from(secretRows).where(eq(secretRows.id, secret))).length,
  });

  test('tells address, login and the given password, and then forgets the password', async () => {
    const client = await makeClient();
    const context = step();
    assert.deepEqual(await send(client.id, context), { state: 'sent', withPassword: true });
    const [raw = ''] = server.taken;
    const { head, text, html } = readMessage(raw);
    assert.match(head, /^To: admin@client\.example\.test\r?$/m);
    assert.match(head, /^Subject: Acme <Lab>: your system is ready\r?$/m);
    assert.ok(head.includes(`Message-ID: <${effectKey(context).toLowerCase()}@vendor.example.test>`));
    assert.ok(text.includes(`http://${client.subdomain}.example.test/`));
    assert.ok(text.includes(`Password: ${PASSWORD}`));
    assert.ok(html.includes('Tr&lt;i&gt;cky &amp; &quot;quoted&quot; 1'));
    assert.ok(!html.includes('<Lab>'));
    assert.deepEqual(await storedPassword(client.id, client.secret), { row: null, secret: 0 });
    const row = await mailRow(context);
    assert.deepEqual([row?.state, row?.recipient, row?.error], ['sent', 'admin@client.example.test', null]);
  });

  test('says nothing of a password that nobody gave, and keeps it', async () => {
    const client = await makeClient({ given: false, password: 'random-secret' });
    assert.deepEqual(await send(client.id, step()), { state: 'sent', withPassword: false });
    assert.ok(!readMessage(server.taken[0] ?? '').text.includes('random-secret'));
    assert.deepEqual(await storedPassword(client.id, client.secret), { row: client.secret, secret: 1 });
  });

  test('a later mail of the same kind goes without the password', async () => {
    const client = await makeClient();
    await send(client.id, step());
    assert.deepEqual(await send(client.id, step()), { state: 'sent', withPassword: false });
    assert.match(readMessage(server.taken[1] ?? '').text, /The password is the one that was set for you/);
  });

  test('the notice of expiry names the day in the client’s own time zone, and no password', async () => {
    const client = await makeClient();
    assert.deepEqual(await send(client.id, step(), 'send_expire'), { state: 'sent', withPassword: false });
    const { text } = readMessage(server.taken[0] ?? '');
    assert.match(text, /ends on May 5, 2031/);
    assert.ok(!text.includes(PASSWORD));
    assert.deepEqual(await storedPassword(client.id, client.secret), { row: client.secret, secret: 1 });
  });

  test('a retry after the answer was recorded sends nothing more', async () => {
    const client = await makeClient();
    const context = step();
    await send(client.id, context);
    assert.deepEqual(await send(client.id, { ...context, attempt: 2 }), {
      state: 'sent',
      withPassword: false,
    });
    assert.equal(server.taken.length, 1);
  });

  test('another step is another mail', async () => {
    const client = await makeClient();
    const context = step();
    await send(client.id, context);
    await send(client.id, { ...context, step: 'mail-again' });
    assert.equal(server.taken.length, 2);
  });

  const REFUSALS: [Behaviour, string][] = [
    ['defer-recipient', 'Unavailable'],
    ['defer-text', 'Unavailable'],
    ['cut-before-text', 'Unavailable'],
    ['reject-recipient', 'CommandFailed'],
    ['reject-text', 'CommandFailed'],
  ];
  for (const [behaviour, kind] of REFUSALS) {
    test(`${behaviour}: fails as ${kind}, keeps the password, and a retry sends it once`, async () => {
      const client = await makeClient();
      const context = step();
      server.behaviour = behaviour;
      await assert.rejects(send(client.id, context), (error) => {
        assert.equal(kindOf(error), kind);
        assert.ok(!(error as Error).message.includes('admin@client'), 'no personal data in a failure');
        return true;
      });
      assert.equal((await mailRow(context))?.state, 'failed');
      assert.deepEqual(await storedPassword(client.id, client.secret), { row: client.secret, secret: 1 });
      server.behaviour = 'accept';
      assert.deepEqual(await send(client.id, { ...context, attempt: 2 }), {
        state: 'sent',
        withPassword: true,
      });
      assert.equal(server.taken.length, 1);
      assert.equal((await mailRow(context))?.state, 'sent');
    });
  }

  test('a server that is not there is Unavailable', async () => {
    const client = await makeClient();
    const context = step();
    const port = await freePort();
    const sent = activities(port).sendClientMail({ clientId: client.id, template: 'send_success' }, context);
    await assert.rejects(sent, (error) => kindOf(error) === 'Unavailable');
    assert.equal((await mailRow(context))?.state, 'failed');
  });

  test('a lost final answer is maybe_sent, and never repeated', async () => {
    const client = await makeClient();
    const context = step();
    server.behaviour = 'cut-after-text';
    assert.deepEqual(await send(client.id, context), { state: 'maybe_sent', withPassword: true });
    assert.equal(server.read, 1);
    assert.equal((await mailRow(context))?.state, 'maybe_sent');
    assert.deepEqual(await storedPassword(client.id, client.secret), { row: client.secret, secret: 1 });
    server.behaviour = 'accept';
    assert.deepEqual(await send(client.id, { ...context, attempt: 2 }), {
      state: 'maybe_sent',
      withPassword: false,
    });
    assert.equal(server.read, 1);
  });

  test('a mail whose attempt died while it was under way is maybe_sent, and never repeated', async () => {
    const client = await makeClient();
    const context = step();
    await database.db.insert(mails).values({
      effectKey: effectKey(context),
      clientId: client.id,
      template: 'send_success',
      recipient: 'admin@client.example.test',
      state: 'sending',
      messageId: '<m@x>',
    });
    assert.deepEqual(await send(client.id, { ...context, attempt: 2 }), {
      state: 'maybe_sent',
      withPassword: false,
    });
    assert.deepEqual(server.read, 0);
    assert.equal((await mailRow(context))?.state, 'maybe_sent');
  });

  test('an attempt that was ended sends nothing', async () => {
    const client = await makeClient();
    const context = step();
    const signal = AbortSignal.abort();
    await assert.rejects(send(client.id, { ...context, signal }), (error) => kindOf(error) === 'Unavailable');
    assert.equal(server.read, 0);
  });

  test('an address that is none is refused before any connection', async () => {
    const client = await makeClient({ email: 'admin@client.example.test>\r\nRCPT TO:<other@example.test' });
    await assert.rejects(send(client.id, step()), (error) => kindOf(error) === 'InvalidInput');
    assert.equal(server.read, 0);
  });

  test('line breaks in a name forge neither a header nor a line', async () => {
    const client = await makeClient({ name: 'Lab\r\nBcc: other@example.test\nPassword: forged' });
    await send(client.id, step());
    const { head, text } = readMessage(server.taken[0] ?? '');
    assert.doesNotMatch(head, /^Bcc:/m);
    assert.doesNotMatch(text, /^Password: forged/m);
  });

  test('a client that does not exist is NotFound', async () => {
    await assert.rejects(send(2_000_000, step()), (error) => kindOf(error) === 'NotFound');
  });
});

test('mail addresses are plain mailboxes', () => {
  for (const good of ['a@b.cc', 'first.last+tag@sub.example.test', "o'brien@example.test"])
    assert.ok(isMailAddress(good), good);
  const bad = [
    '',
    'a',
    'a@b',
    '@b.cc',
    'a@',
    'a@b..cc',
    '.a@b.cc',
    'a.@b.cc',
    'a@-b.cc',
    '"a b"@b.cc',
    'a@b.cc (x)',
    'A <a@b.cc>',
    'a@b.cc,c@d.ee',
  ];
  bad.push(
    'a@[127.0.0.1]',
    'a@b.cc\n',
    'a\r\n@b.cc',
    'ä@b.cc',
    'a@bä.cc',
    `${'a'.repeat(65)}@b.cc`,
    `a@${'b.'.repeat(130)}cc`,
  );
  for (const text of bad) assert.ok(!isMailAddress(text), JSON.stringify(text));
});

test('both languages have both mails, with every value that they are given', () => {
  const facts = {
    name: 'Лаб & Co',
    url: 'http://a.example.test/',
    login: 'jane',
    password: 'p&w',
    licenseEnd: '5 мая 2031',
    daysLeft: 7,
  };
  for (const locale of ['ru', 'en'] as const) {
    const success = renderMail({ template: 'send_success', locale, facts });
    for (const value of [facts.name, facts.url, facts.login, facts.password, facts.licenseEnd])
      assert.ok(success.text.includes(value), value);
    const expire = renderMail({ template: 'send_expire', locale, facts });
    for (const value of [facts.name, facts.url, facts.licenseEnd, '7'])
      assert.ok(expire.text.includes(value), value);
    for (const { subject, text } of [success, expire]) {
      assert.ok(subject.startsWith(facts.name));
      assert.doesNotMatch(text, /undefined|\n{3}|<%|null/);
    }
    const ended = renderMail({ template: 'send_expire', locale, facts: { ...facts, daysLeft: -1 } });
    assert.notEqual(ended.subject, expire.subject);
  }
  assert.match(renderMail({ template: 'send_success', locale: 'ru', facts }).text, /Пароль: p&w/);
});

test('no value makes markup of its own in the HTML part', () => {
  const values = fc.string({ unit: fc.constantFrom(...'<>&"\'/ab =\n'), maxLength: 40 });
  fc.assert(
    fc.property(values, values, (name, password) => {
      const { html } = renderMail({
        template: 'send_success',
        locale: 'en',
        facts: { name, url: 'u', login: 'l', password },
      });
      assert.deepEqual(html.replaceAll(/<\/?p>|<br>/g, '').match(/[<>"]/g), null);
    }),
  );
});

test('the mail server is given as a URL', () => {
  assert.deepEqual(parseSmtpUrl('smtp://mail.example.test'), {
    host: 'mail.example.test',
    port: 587,
    secure: false,
  });
  assert.deepEqual(parseSmtpUrl('smtps://u%40x:p%3Aw@[::1]'), {
    host: '::1',
    port: 465,
    secure: true,
    login: { user: 'u@x', password: 'p:w' },
  });
  for (const text of ['', 'mail.example.test', 'http://mail.example.test', 'smtp://'])
    assert.throws(() => parseSmtpUrl(text));
});
