import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { eq, sql } from 'drizzle-orm';
import { ulid } from 'ulid';
import { createNotices, type NoticesOptions } from '../../../activities/operation/deliver-notices.js';
import { noticeEnd, noticeHold } from '../../../activities/operation/notices.js';
import type { MailOutcome, OutgoingMail } from '../../../activities/mail/transport.js';
import { createSmtpTransport, parseSmtpUrl } from '../../../activities/mail/transport.js';
import { notices, operations } from '../../../db/schema/index.js';
import { pollUntil } from '../../../process/poll.js';
import type { Hold } from '../../../workflows/contract/operation/operation.js';
import { startMailServer } from '../../support/mail-server.js';
import { sweep } from '../../support/sweep.js';
import { failing, openScriptedSystem, type ScriptedSystem } from '../../support/scripted-world.js';

const HOLD: Hold = {
  number: 1,
  step: 'container',
  until: '2031-01-31T12:00:00.000Z',
  actions: ['retry', 'rollback'],
  error: { kind: 'CapacityExceeded', message: 'no space left on web-3', hint: 'free some disk space' },
};

describe('notices', () => {
  let system: ScriptedSystem;
  const posts: { id: string; text: { content: string } }[] = [];
  let answer = 200;
  const hook = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      if (answer === 200) posts.push(JSON.parse(body));
      response.writeHead(answer).end();
    });
  });
  before(async () => {
    system = await openScriptedSystem();
    await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
  });
  after(async () => {
    hook.close();
    await system?.close();
  });

  function transport(outcome: () => MailOutcome) {
    const sent: OutgoingMail[] = [];
    const send = (mail: OutgoingMail) => {
      const result = outcome();
      if (result.kind === 'accepted') sent.push(mail);
      return Promise.resolve(result);
    };
    return { sent, transport: { name: 'test', send } };
  }

  function deliverer(options: Partial<NoticesOptions>) {
    return createNotices({
      db: system.database.db,
      transport: transport(() => ({ kind: 'accepted' })).transport,
      from: 'slipway@example.test',
      to: 'night@example.test',
      webhook: `http://127.0.0.1:${(hook.address() as AddressInfo).port}/`,
      publicUrl: 'https://slipway.example.test',
      ...options,
    });
  }

  async function newOperation(kind = 'create_client') {
    const row = { id: ulid(), kind, title: 'Create client 7', subject: `client:${ulid()}` };
    await system.database.db.insert(operations).values({ ...row, state: 'running', actor: 't', input: {} });
    return row;
  }

  const noticeOf = async (operation: string) =>
    (await system.database.db.select().from(notices).where(eq(notices.operationId, operation)))[0];
  /** as if the time until its next try had passed */
  const due = (operation: string) =>
    system.database.db
      .update(notices)
      .set({ nextTryAt: sql`now()` })
      .where(eq(notices.operationId, operation));

  it('a hold is mailed once and posted once, with cause, hint and link', async () => {
    const mailServer = await startMailServer();
    const { deliverNotices } = deliverer({ transport: createSmtpTransport(parseSmtpUrl(mailServer.url)) });
    const operation = await newOperation();
    await noticeHold(system.database.db, operation, HOLD);
    await noticeHold(system.database.db, operation, HOLD);
    await Promise.all([deliverNotices(), deliverNotices()]);
    await due(operation.id);
    await deliverNotices();
    assert.equal(mailServer.mails.length, 1);
    const { to, text } = mailServer.mails[0] as (typeof mailServer.mails)[number];
    assert.deepEqual(to, ['night@example.test']);
    for (const part of [
      'Create client 7 waits for a person',
      'no space left on web-3',
      'free some disk space',
    ])
      assert.ok(text.includes(part), part);
    assert.ok(text.includes(`https://slipway.example.test/operations/${operation.id}`));
    const posted = posts.filter(({ id }) => id.startsWith(operation.id));
    assert.equal(posted.length, 1);
    assert.match(posted[0]?.text.content ?? '', /no space left on web-3/);
    await mailServer.close();
  });

  it('a second hold and a rollback that is incomplete are causes of their own', async () => {
    const { sent, transport: mail } = transport(() => ({ kind: 'accepted' }));
    const operation = await newOperation();
    await noticeHold(system.database.db, operation, HOLD);
    await noticeHold(system.database.db, operation, { ...HOLD, number: 2 });
    await noticeEnd(system.database.db, operation, { state: 'rollback_incomplete', error: HOLD.error });
    await deliverer({ transport: mail }).deliverNotices();
    assert.equal(sent.length, 3);
  });

  it('waits for a mail server that is down, and never repeats a mail whose answer was lost', async () => {
    const down = await newOperation();
    await noticeHold(system.database.db, down, HOLD);
    const refused: MailOutcome = { kind: 'refused', permanent: false, reason: 'connection refused' };
    let outcome: MailOutcome = refused;
    const { sent, transport: mail } = transport(() => outcome);
    const { deliverNotices } = deliverer({ transport: mail });
    await deliverNotices();
    assert.deepEqual(await noticeOf(down.id).then((row) => [row?.mail, row?.webhook]), ['open', 'sent']);
    await deliverNotices();
    assert.equal((await noticeOf(down.id))?.tries, 1, 'not before its time');
    await due(down.id);
    outcome = { kind: 'unknown', reason: 'connection lost' };
    await deliverNotices();
    assert.equal((await noticeOf(down.id))?.mail, 'maybe_sent');
    outcome = { kind: 'accepted' };
    await due(down.id);
    await deliverNotices();
    assert.equal(sent.length, 0);
  });

  it('one that was under way when its worker died may have been sent', async () => {
    const operation = await newOperation();
    await noticeHold(system.database.db, operation, HOLD);
    await system.database.db
      .update(notices)
      .set({ mail: 'sending' })
      .where(eq(notices.operationId, operation.id));
    const { sent, transport: mail } = transport(() => ({ kind: 'accepted' }));
    await deliverer({ transport: mail }).deliverNotices();
    assert.equal((await noticeOf(operation.id))?.mail, 'maybe_sent');
    assert.equal(sent.length, 0);
  });

  it('a webhook that fails is tried again, one that refuses is not', async () => {
    const operation = await newOperation();
    await noticeHold(system.database.db, operation, HOLD);
    const { deliverNotices } = deliverer({ to: null });
    answer = 503;
    await deliverNotices();
    assert.deepEqual(await noticeOf(operation.id).then((row) => [row?.mail, row?.webhook]), ['off', 'open']);
    answer = 404;
    await due(operation.id);
    await deliverNotices();
    const row = await noticeOf(operation.id);
    assert.deepEqual([row?.webhook, row?.error], ['refused', 'webhook: answered 404']);
    answer = 200;
  });

  it('a mail that cannot be composed is tried less and less often, and given up after a day', async () => {
    const operation = await newOperation();
    await noticeHold(system.database.db, operation, HOLD);
    const publicUrl = {
      [Symbol.toPrimitive]() {
        throw new Error('no such text');
      },
    } as unknown as string;
    const { deliverNotices } = deliverer({ webhook: null, publicUrl });
    await deliverNotices();
    const row = await noticeOf(operation.id);
    assert.equal(row?.mail, 'open');
    assert.match(row?.error ?? '', /no such text/);
    await due(operation.id);
    await system.database.db
      .update(notices)
      .set({ createdAt: new Date(Date.now() - 25 * 3_600_000) })
      .where(eq(notices.operationId, operation.id));
    await deliverNotices();
    assert.equal((await noticeOf(operation.id))?.mail, 'refused');
  });

  it('a lend sends no notices', async () => {
    const operation = await newOperation('lend');
    await noticeHold(system.database.db, operation, HOLD);
    assert.equal(await noticeOf(operation.id), undefined);
  });

  it('an operation that holds, and one that cannot be undone, leave notices with their records', async () => {
    const held = await system.start([{ key: 'one' }], {
      faults: { 'do:one': failing('CommandFailed', 1) },
    });
    await held.until('it holds', ({ state }) => state === 'holding');
    assert.match((await noticeOf(held.id))?.subject ?? '', /waits for a person/);
    await held.handle.signal('retry', {});
    await held.ended();
    const left = await system.start([{ key: 'one' }, { key: 'two' }], {
      faults: { 'do:two': failing('InvalidInput'), 'undo:one': failing('CommandFailed') },
    });
    await left.ended();
    const notice = await pollUntil({ what: 'its notice', deadlineMs: 5_000, probe: () => noticeOf(left.id) });
    assert.match(notice.subject, /rollback incomplete/);
  });

  it('a changed host key is told also where nobody is asked, once', async () => {
    const faults = () => ({ 'do:one': failing('HostKeyMismatch') });
    const asked = await system.start([{ key: 'one' }], { faults: faults() });
    await asked.until('it holds', ({ state }) => state === 'holding');
    await asked.handle.signal('rollback', {});
    const unasked = await system.start([{ key: 'one' }], {
      faults: faults(),
      request: { onFailure: 'rollback' },
    });
    await Promise.all([asked.ended(), unasked.ended()]);
    const subjects = async (id: string) =>
      (await system.database.db.select().from(notices).where(eq(notices.operationId, id))).map(
        ({ subject }) => subject,
      );
    assert.deepEqual(await subjects(asked.id), ['Scripted waits for a person']);
    assert.deepEqual(await subjects(unasked.id), [
      'Scripted met another host key than the one that it knows',
    ]);
  });

  it('one that was terminated leaves a notice with the end that the sweep records', async () => {
    const run = await system.start([{ key: 'one' }], { faults: { 'do:one': failing('CommandFailed') } });
    await run.until('it holds', ({ state }) => state === 'holding');
    await run.handle.terminate('by mistake');
    await sweep(system.client, system.taskQueue);
    const found = await system.database.db.select().from(notices).where(eq(notices.operationId, run.id));
    assert.ok(found.some(({ id, subject }) => id === `${run.id}:terminated` && /terminated/.test(subject)));
  });
});
