import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { clients, operations } from '../../../db/schema/index.js';
import type { TimelineItem } from '../../../workflows/contract/operation/timeline.js';
import {
  failing,
  openScriptedSystem,
  type ScriptedRun,
  type ScriptedSystem,
} from '../../support/scripted-world.js';
import { sweep, timelineFromHistory } from '../../support/sweep.js';
import { type Harness, openHarness } from '../harness.js';

interface Page {
  data: (TimelineItem & { id: string })[];
  cursor: string | null;
  source: string;
}

let api: Harness;
let system: ScriptedSystem;
before(async () => {
  api = await openHarness({ temporal: 'server' });
  const { address: temporal, taskQueue, store } = api;
  system = await openScriptedSystem({}, { temporal, taskQueue, databaseUrl: store.url });
});
after(async () => {
  await system?.close();
  await api?.close();
});

async function read({ id }: { id: string }, query: Record<string, string> = {}): Promise<Page> {
  const response = await api.call(
    'GET',
    `/operations/${id}/timeline?${new URLSearchParams(query).toString()}`,
  );
  assert.equal(response.status, 200, await response.clone().text());
  return (await response.json()) as Page;
}

/** Follows cursors until nothing more comes for now. */
async function readOn(run: { id: string }, { cursor, limit }: { cursor?: string; limit: string }) {
  const items: Page['data'] = [];
  for (let at = cursor; ; ) {
    const page = await read(run, { limit, ...(at === undefined ? {} : { cursor: at }) });
    assert.ok(page.data.length <= Number(limit));
    items.push(...page.data);
    if (page.cursor === null || page.data.length === 0) return { items, cursor: page.cursor };
    at = page.cursor;
  }
}

async function told(run: ScriptedRun): Promise<TimelineItem[]> {
  const row = await run.row();
  return timelineFromHistory(system.client, run.subject, row?.runId ?? '');
}

const plain = (items: Page['data']) => items.map(({ id: _id, ...item }) => item);

async function startHeld(): Promise<ScriptedRun> {
  const run = await system.start([{ key: 'a' }, { key: 'b' }, { key: 'c' }], {
    faults: { 'do:b': failing('CommandFailed', 1) },
  });
  await run.until('hold', ({ hold }) => hold !== null);
  return run;
}

describe('GET /operations/{id}/timeline', () => {
  it('answers the history of a running one in pages of any size; the last cursor waits for what is new', async () => {
    const run = await startHeld();
    const now = await told(run);
    assert.equal(now.at(-1)?.type, 'held');
    for (const limit of ['1', '2', '3', '500']) {
      const { items, cursor } = await readOn(run, { limit });
      assert.deepEqual(plain(items), now, `pages of ${limit}`);
      assert.ok(cursor);
    }
    const first = await read(run, { limit: '1' });
    assert.equal(first.source, 'history');
    assert.equal(first.data[0]?.id, '1-1');
    await run.handle.signal('rollback', {});
    await run.ended();
  });

  it('goes on behind a cursor taken while it ran: in the history, and in the archive once it is there', async () => {
    const run = await startHeld();
    const middle = await read(run, { limit: '3' });
    const end = await readOn(run, { limit: '2' });
    assert.ok(middle.cursor && end.cursor);
    await run.handle.signal('retry', { actor: 'ann' });
    assert.equal((await run.ended()).state, 'succeeded');
    const whole = await told(run);
    const rest = { middle: whole.slice(3), end: whole.slice(end.items.length) };
    for (const source of ['history', 'archive']) {
      assert.equal((await read(run, { limit: '1' })).source, source);
      for (const limit of ['2', '500']) {
        const behindMiddle = await readOn(run, { cursor: middle.cursor, limit });
        assert.deepEqual(plain(behindMiddle.items), rest.middle, source);
        assert.equal(behindMiddle.cursor, null);
        assert.deepEqual(plain((await readOn(run, { cursor: end.cursor, limit })).items), rest.end, source);
      }
      assert.deepEqual(plain((await readOn(run, { limit: '4' })).items), whole);
      await sweep(system.client, system.taskQueue);
    }
  });

  it('answers the same once Temporal has nothing of it any more, as do view and events', async () => {
    const run = await startHeld();
    await run.handle.signal('retry', { actor: 'ann' });
    await run.ended();
    const whole = await told(run);
    await sweep(system.client, system.taskQueue);
    const view = async (asked: Harness) => (await asked.call('GET', `/operations/${run.id}`)).json();
    const before = { view: await view(api), lines: await run.lines() };
    // all of Temporal is gone for this one
    const alone = await openHarness({ temporal: 'none', store: api.store });
    assert.deepEqual({ view: await view(alone), lines: await run.lines() }, before);
    const page = (await (await alone.call('GET', `/operations/${run.id}/timeline`)).json()) as Page;
    assert.deepEqual(plain(page.data), whole);
    assert.equal(page.source, 'archive');
    await alone.close();
  });

  it('answers what the projection has without history and archive, and says so', async () => {
    const run = await startHeld();
    await run.handle.signal('rollback', {});
    await run.ended();
    await api.db
      .update(operations)
      .set({ runId: null, archivedAt: new Date() })
      .where(eq(operations.id, run.id));
    const { items } = await readOn(run, { limit: '2' });
    assert.equal((await read(run)).source, 'projection');
    assert.deepEqual(
      items.map(({ message }) => message),
      await run.lines(),
    );
    assert.equal(items[0]?.id, '0-1');
  });

  it('refuses what is no cursor, and knows no other operations', async () => {
    const run = await startHeld();
    const encode = (cursor: object) => Buffer.from(JSON.stringify(cursor)).toString('base64url');
    const { cursor: good } = await read(run, { limit: '1' });
    const place = JSON.parse(Buffer.from(good ?? '', 'base64url').toString()) as object;
    assert.equal((await read(run, { cursor: encode(place) })).source, 'history');
    const wrong = [
      { line: 2 ** 31 },
      { line: -1 },
      { ...place, run: 2 ** 31 },
      { ...place, after: -1 },
      { ...place, runId: 'nonsense', token: null },
    ];
    for (const cursor of ['nonsense', 'no%20pattern', encode({}), ...wrong.map(encode)]) {
      const response = await api.call('GET', `/operations/${run.id}/timeline?cursor=${cursor}`);
      assert.equal(response.status, 422, cursor);
    }
    assert.equal((await api.call('GET', '/operations/01K4Q2V7T3W9Z8X6C5B4N3M2A9/timeline')).status, 404);
    await run.handle.signal('rollback', {});
    await run.ended();
  });
});

describe('POST /operations/{id}/cleanup', () => {
  const post = (id: string) => api.call('POST', `/operations/${id}/cleanup`, { json: {} });
  const codeOf = async (response: Response) => ((await response.json()) as { code: string }).code;

  it('is 409 while the operation is open, and when nothing is left; 404 for none', async () => {
    const run = await startHeld();
    const open = await post(run.id);
    assert.deepEqual([open.status, await codeOf(open)], [409, 'busy']);
    await run.handle.signal('rollback', {});
    await run.ended();
    const nothing = await post(run.id);
    assert.deepEqual([nothing.status, await codeOf(nothing)], [409, 'nothing_left']);
    assert.equal((await post('01K4Q2V7T3W9Z8X6C5B4N3M2A9')).status, 404);
  });

  it('undoes what is left; until then, and until the sweep has looked, starts on the subject are 409', async () => {
    const form = {
      name: 'w',
      host: '10.0.0.9',
      domain: 'c.example.test',
      sql_user: 'u',
      sql_password: 'a password',
    };
    const server = (await (
      await api.call('POST', '/servers', { form: { ...form, ssh_host_key: `SHA256:${'b'.repeat(43)}` } })
    ).json()) as { id: number };
    const [client] = await api.db
      .insert(clients)
      .values({
        ...{ serverId: server.id, status: 'active', name: 'A', adminLogin: 'a', email: 'a@b.example' },
        ...{ subdomain: 'left', versionTag: '1', billingType: 'demo' },
      })
      .returning();
    const run = await system.start([{ key: 'a' }, { key: 'b' }], {
      subject: `client:${client?.id}`,
      faults: { 'do:b': failing('CommandFailed') },
    });
    await run.until('hold', ({ hold }) => hold !== null);
    await run.handle.terminate('by mistake');
    const start = () =>
      api.call('POST', `/clients/${client?.id}/admin_password`, {
        form: { password: 'Correct-horse-9', confirm_password: 'Correct-horse-9' },
      });
    const lost = await start();
    assert.deepEqual([lost.status, await codeOf(lost)], [409, 'busy']);
    await sweep(system.client, system.taskQueue);
    const restricted = await start();
    const problem = (await restricted.json()) as { code: string };
    assert.deepEqual([restricted.status, problem.code], [409, 'needs_cleanup']);

    const cleaned = await post(run.id);
    assert.equal(cleaned.status, 202);
    const { operation } = (await cleaned.json()) as { operation: { id: string; kind: string } };
    assert.equal(operation.kind, 'cleanup');
    await system.client.workflow.getHandle(run.subject).result();
    const [row] = await api.db.select().from(operations).where(eq(operations.id, operation.id));
    assert.deepEqual([row?.state, row?.subject], ['succeeded', run.subject]);
    assert.deepEqual((await run.row())?.leftovers, []);
    assert.equal((await start()).status, 202);
    await system.client.workflow.getHandle(run.subject).terminate('end of the test');
  });
});

describe('GET /health/ready', () => {
  it('says that the schedules of the sweeps are missing, where no worker has ever made them', async () => {
    const response = await api.call('GET', '/health/ready', { as: null });
    const { checks } = (await response.json()) as { checks: Record<string, { ok: boolean; error?: string }> };
    assert.equal(response.status, 503);
    assert.equal(checks['temporal']?.ok, true);
    assert.equal(checks['schedules']?.error, 'the schedules of the sweeps are missing');
  });
});
