import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq, sql } from 'drizzle-orm';
import { ulid } from 'ulid';
import { appendLines, lockOperation, notify } from '../../../activities/operation/operation-log.js';
import { createWatches } from '../../../api/operations/watches.js';
import { streamEvents } from '../../../api/operations/event-stream.js';
import { followOperation } from '../../../api/operations/events.js';
import { openDatabase } from '../../../db/database.js';
import { operations, operationSteps } from '../../../db/schema/index.js';
import { insertOperation } from '../../../db/queries/operation-starts.js';
import type { EndState, StepState } from '../../../workflows/contract/operation/operation.js';
import { pollUntil } from '../../../process/poll.js';
import { readEvents, type Received } from '../../support/event-source.js';
import { type Harness, openHarness } from '../harness.js';

describe('GET /operations/{id}/events', () => {
  let api: Harness;

  before(async () => {
    api = await openHarness({ temporal: 'none', settings: { commentMs: 300, streamsAtOnce: 40 } });
  });
  after(() => api.close());

  const make = async () => {
    const id = ulid();
    await api.db.transaction((tx) =>
      insertOperation(tx, {
        id,
        kind: 'create_client',
        subject: `client:${id}`,
        state: 'running',
        title: 'Create client',
        actor: 'admin:admin',
        input: {},
      }),
    );
    return id;
  };
  const say = (id: string, ...messages: string[]) =>
    api.db.transaction(async (tx) => {
      const operation = await lockOperation(tx, id);
      assert.ok(operation);
      const lines = messages.map((message) => ({
        key: message,
        type: 'step_done' as const,
        step: 'one',
        message,
        level: 'info' as const,
      }));
      await appendLines(tx, operation, lines);
    });
  const end = async (id: string, state: EndState = 'succeeded') => {
    await api.db.update(operations).set({ state, endedAt: new Date() }).where(eq(operations.id, id));
    await notify(api.db, id);
  };
  const putStep = async (id: string, key: string, state: StepState, attempt = 1) => {
    const row = { operationId: id, key, title: key, state, seq: 1, attempt, try: 1, startedAt: new Date(0) };
    await api.db
      .insert(operationSteps)
      .values(row)
      .onConflictDoUpdate({
        target: [operationSteps.operationId, operationSteps.key],
        set: { state, attempt },
      });
    await notify(api.db, id);
  };
  const open = async (id: string, headers: Record<string, string> = {}, query = '') =>
    readEvents(await api.call('GET', `/operations/${id}/events${query}`, { headers }));
  const lines = (events: Received[]) =>
    events.filter(({ event }) => event === 'line').map(({ data }) => (data as { message: string }).message);
  const states = (events: Received[]) =>
    events
      .filter(({ event }) => event === 'state')
      .map(({ data }) => data as { state: string; steps: { key: string; state: string; attempt: number }[] });

  it('tells what was and what comes, in order, and ends at the end state', async () => {
    const id = await make();
    await say(id, 'a', 'b');
    const stream = await open(id);
    assert.equal(stream.headers.get('content-type'), 'text/event-stream; charset=utf-8');
    assert.equal(stream.headers.get('x-accel-buffering'), 'no');
    assert.equal(stream.headers.get('cache-control'), 'no-store');
    await stream.until((events) => lines(events).length === 2);
    await say(id, 'c');
    await stream.until((events) => lines(events).length === 3);
    await say(id, 'd', 'e');
    await end(id);
    const all = await stream.ended();
    assert.deepEqual(lines(all), ['a', 'b', 'c', 'd', 'e']);
    assert.deepEqual(
      all
        .filter(({ event }) => event === 'line')
        .map((line) => [line.id, (line.data as { seq: number }).seq]),
      [1, 2, 3, 4, 5].map((seq) => [String(seq), seq]),
    );
    const last = all.at(-1);
    assert.ok(last);
    assert.equal(last.event, 'end');
    assert.equal(last.id, '5-end');
    assert.equal((last.data as { state: string }).state, 'succeeded');
  });

  it('resumes behind Last-Event-ID, or behind `after`', async () => {
    const id = await make();
    await say(id, 'a', 'b', 'c');
    await end(id);
    assert.deepEqual(lines(await (await open(id, { 'Last-Event-ID': '2' })).ended()), ['c']);
    assert.deepEqual(lines(await (await open(id, {}, '?after=1')).ended()), ['b', 'c']);
    assert.deepEqual(lines(await (await open(id, { 'Last-Event-ID': '2' }, '?after=0')).ended()), ['c']);
  });

  it('tells a reader without the end again, and sends one who had it away', async () => {
    const id = await make();
    await say(id, 'a');
    await end(id);
    const again = await (await open(id, { 'Last-Event-ID': '1' })).ended();
    assert.deepEqual(
      again.map(({ event }) => event),
      ['state', 'end'],
    );
    const response = await api.call('GET', `/operations/${id}/events`, {
      headers: { 'Last-Event-ID': '1-end' },
    });
    assert.equal(response.status, 204);
  });

  it('refuses what is no id of its own, and an operation that is not there', async () => {
    const id = await make();
    for (const bad of ['x', '-1', '1;drop', '9'.repeat(16)]) {
      const response = await api.call('GET', `/operations/${id}/events`, {
        headers: { 'Last-Event-ID': bad },
      });
      assert.equal(response.status, 422, bad);
      assert.match(await response.text(), /Last-Event-ID/);
    }
    assert.equal((await api.call('GET', `/operations/${ulid()}/events`)).status, 404);
    assert.equal((await api.call('GET', `/operations/${id}/events`, { as: null })).status, 401);
  });

  it('tells changes of step and hold that no line tells, with the steps that changed', async () => {
    const id = await make();
    await putStep(id, 'one', 'done');
    await putStep(id, 'two', 'retrying');
    const stream = await open(id);
    await stream.until((events) => states(events).length === 1);
    await putStep(id, 'two', 'running', 2);
    await stream.until((events) => states(events).length === 2);
    await api.db.update(operations).set({ state: 'holding' }).where(eq(operations.id, id));
    await notify(api.db, id);
    await stream.until((events) => states(events).length === 3);
    // nothing has changed: nothing is told
    await notify(api.db, id);
    await end(id);
    const told = states(await stream.ended());
    assert.deepEqual(
      told.map(({ state, steps }) => [
        state,
        steps.map((step) => `${step.key} ${step.state} ${step.attempt}`),
      ]),
      [
        ['running', ['one done 1', 'two retrying 1']],
        ['running', ['two running 2']],
        ['holding', []],
        ['succeeded', []],
      ],
    );
  });

  it('tells a long log whole', async () => {
    const id = await make();
    const messages = Array.from({ length: 1_234 }, (_, index) => `line ${index}`);
    await say(id, ...messages);
    await end(id);
    assert.deepEqual(lines(await (await open(id)).ended()), messages);
  });

  it('tells a change when it happens, not when it looks again', async () => {
    const watches = createWatches({ sql: api.store.database.sql, logger: SILENT });
    const id = await make();
    const stream = await readEvents(streamOf(watches, id));
    await stream.until((events) => events.length === 1);
    // without the notification it would look again after a minute
    await say(id, 'a');
    await stream.until((events) => lines(events).length === 1);
    stream.leave();
  });

  it('comments while nothing happens', async () => {
    const id = await make();
    const stream = await open(id);
    await pollUntil({
      what: 'two comments',
      deadlineMs: 3_000,
      probe: () => stream.comments() >= 2 || undefined,
    });
    stream.leave();
  });

  it('lets go when the reader leaves, also between events', async () => {
    const watches = createWatches({ sql: api.store.database.sql, logger: SILENT });
    const id = await make();
    const response = streamOf(watches, id);
    const stream = await readEvents(response);
    await stream.until((events) => events.length === 1);
    assert.equal(watches.size(), 1);
    stream.leave();
    await pollUntil({
      what: 'the watch ends',
      deadlineMs: 1_000,
      probe: () => watches.size() === 0 || undefined,
    });
  });

  it('has a bound of streams at a time for each login, and takes the next one once another is closed', async () => {
    const id = await make();
    const streams = await Promise.all(Array.from({ length: 40 }, () => open(id)));
    const refused = await api.call('GET', `/operations/${id}/events`);
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get('retry-after'), '10');
    assert.equal((await api.call('HEAD', `/operations/${id}/events`)).status, 200, 'it holds no stream');
    streams[0]?.leave();
    const next = await pollUntil({
      what: 'a place',
      deadlineMs: 2_000,
      probe: async () => {
        const response = await api.call('GET', `/operations/${id}/events`);
        return response.status === 200 ? readEvents(response) : undefined;
      },
    });
    for (const stream of [next, ...streams]) stream.leave();
  });

  it('shares one LISTEN connection over many streams', async () => {
    const id = await make();
    const streams = await Promise.all(Array.from({ length: 40 }, () => open(id)));
    await Promise.all(streams.map((stream) => stream.until((events) => events.length === 1)));
    const [row] = await api.db.execute<{ count: number }>(
      sql`select count(*)::int as count from pg_stat_activity where datname = current_database() and query ilike 'listen%'`,
    );
    // the tests before have two of their own
    assert.ok((row?.count ?? 0) <= 3, `${row?.count}`);
    await say(id, 'a');
    await end(id);
    for (const stream of streams) assert.deepEqual(lines(await stream.ended()), ['a']);
  });

  it('ends cleanly when the process stops, and goes on where it was', async () => {
    const stop = new AbortController();
    const watches = createWatches({ sql: api.store.database.sql, logger: SILENT, stopping: stop.signal });
    const id = await make();
    await say(id, 'a');
    const stream = await readEvents(streamOf(watches, id));
    await stream.until((events) => events.length === 2);
    stop.abort();
    const seen = await stream.ended();
    assert.deepEqual(
      seen.map(({ event }) => event),
      ['line', 'state'],
    );
    assert.equal(watches.size(), 0);
    await say(id, 'b');
    await end(id);
    assert.deepEqual(lines(await (await open(id, { 'Last-Event-ID': '1' })).ended()), ['b']);
  });

  it('goes on when Postgres comes back', async () => {
    const id = await make();
    await say(id, 'a');
    const stream = await open(id);
    await stream.until((events) => lines(events).length === 1);
    await api.store.shut();
    const refused = await api.call('GET', `/operations/${id}/events`);
    assert.equal(refused.status, 503);
    const before = stream.comments();
    await pollUntil({
      what: 'a comment',
      deadlineMs: 3_000,
      probe: () => stream.comments() > before || undefined,
    });
    await api.store.open();
    await pollUntil({ what: 'writes', deadlineMs: 5_000, probe: () => say(id, 'b').then(() => true) });
    await end(id);
    assert.deepEqual(lines(await stream.ended()), ['a', 'b']);
  });

  it('loses no line when Postgres answers about the lines, but not about the steps', async () => {
    const id = await make();
    await say(id, 'a', 'b');
    await end(id);
    const impatient = openDatabase({ url: api.store.url, poolSize: 5, answerWithinMs: 200 });
    const watches = createWatches({ sql: impatient.sql, logger: SILENT });
    const stream = await api.db.transaction(async (tx) => {
      await tx.execute(sql`lock table operation_steps in access exclusive mode`);
      const reader = await readEvents(streamOf(watches, id, impatient.db));
      const waiting = sql`select from pg_locks where relation = 'operation_steps'::regclass and not granted`;
      await pollUntil({
        what: 'a first read is given up, and a second one waits',
        deadlineMs: 10_000,
        probe: async () => (await tx.execute(waiting)).length >= 2 || undefined,
      });
      return reader;
    });
    assert.deepEqual(lines(await stream.ended()), ['a', 'b']);
    await impatient.close();
  });

  function streamOf(watches: ReturnType<typeof createWatches>, operation: string, db = api.db): Response {
    return streamEvents({
      source: (signal) => followOperation({ db, watches, operation, after: 0, commentMs: 60_000, signal }),
      stopping: watches.stopping,
      over: () => undefined,
      failed: (error) => assert.fail(String(error)),
    });
  }
});

describe('an event stream whose reader is slow', () => {
  const endless = () => {
    let made = 0;
    async function* source() {
      for (;;) {
        made += 1;
        yield { event: 'line', data: 'x'.repeat(1_000) };
      }
    }
    return { source, made: () => made };
  };

  it('makes no more than is taken', async () => {
    const { source, made } = endless();
    const response = streamEvents({
      source,
      stopping: new AbortController().signal,
      failed: () => undefined,
      over: () => undefined,
    });
    const reader = response.body?.getReader();
    assert.ok(reader);
    for (let taken = 0; taken < 5; taken += 1) await reader.read();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(made() <= 5, `${made()} events were made`);
    await reader.cancel();
  });

  it('is let go when it takes nothing for too long, and its source with it', async () => {
    let closed = false;
    let ended = 0;
    async function* source() {
      try {
        for (;;) yield null;
      } finally {
        closed = true;
      }
    }
    const response = streamEvents({
      source,
      stopping: new AbortController().signal,
      failed: () => undefined,
      over: () => void (ended += 1),
      stalledMs: 50,
    });
    const reader = response.body?.getReader();
    assert.ok(reader);
    for (let taken = 0; taken < 3; taken += 1) await reader.read();
    await pollUntil({ what: 'the source ends', deadlineMs: 1_000, probe: () => closed || undefined });
    await assert.rejects(reader.read(), /takes nothing/);
    assert.equal(ended, 1);
  });
});

const SILENT = { warn: () => undefined } as unknown as Parameters<typeof createWatches>[0]['logger'];
