import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { eq } from 'drizzle-orm';
import { ulid } from 'ulid';
import { type Database, openDatabase } from '../../../db/database.js';
import { migrateDatabase } from '../../../db/migrate.js';
import { clients, operations } from '../../../db/schema/index.js';
import { freePort } from '../../../process/free-port.js';
import { pollUntil } from '../../../process/poll.js';
import { type PostgresServer, startPostgres } from '../../../start/services/postgres.js';
import { startTemporal, type TemporalServer } from '../../../start/services/temporal.js';
import { SEARCH_ATTRIBUTES } from '../../../workflows/contract/search-attributes.js';
import { type ApiProcess, startApiProcess } from '../../support/api-process.js';
import { readEvents, type Received } from '../../support/event-source.js';
import type { ScriptedStep } from '../../support/scripted-operation.js';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.js';

const QUEUE = 'degraded';
/** Nobody ever polls it. */
const IDLE_QUEUE = 'degraded-idle';
const WORKER = new URL('../../support/scripted-worker-process.ts', import.meta.url).pathname;
const log = (): void => undefined;

/** API, worker, Postgres and Temporal as processes of this file's own: they are killed, stopped and slowed down. */
describe('when a part is away', () => {
  let dir: string;
  let postgres: PostgresServer;
  let temporal: TemporalServer;
  /** between Postgres and everybody else, and between Temporal and one API */
  let toPostgres: TcpProxy;
  let toTemporal: TcpProxy;
  let database: Database;
  let connection: Connection;
  let client: Client;
  let worker: ChildProcess;
  let api: ApiProcess;
  /** another API, whose operations no worker runs */
  let lonely: ApiProcess;
  let databaseUrl: string;
  let world: string;
  let serverId: number;

  const startDatabase = (port: number) =>
    startPostgres({ dir: join(dir, 'postgres'), port, persistent: true, log });
  const startLonely = () =>
    startApiProcess({ databaseUrl, temporalAddress: `127.0.0.1:${toTemporal.port}`, taskQueue: IDLE_QUEUE });

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'slipway-degraded-'));
    await chmod(dir, 0o711); // the server may run as another user
    world = join(dir, 'world');
    await writeFile(world, '');
    [postgres, temporal] = await Promise.all([
      startDatabase(await freePort()),
      startTemporal({ dir: join(dir, 'temporal'), log, searchAttributes: Object.keys(SEARCH_ATTRIBUTES) }),
    ]);
    await migrateDatabase(postgres.url);
    toPostgres = await startTcpProxy(Number(new URL(postgres.url).port));
    toTemporal = await startTcpProxy(Number(temporal.address.split(':')[1]));
    databaseUrl = Object.assign(new URL(postgres.url), { port: String(toPostgres.port) }).href;
    database = openDatabase({ url: postgres.url, poolSize: 3 });
    connection = await Connection.connect({ address: temporal.address });
    client = new Client({ connection });
    worker = spawn(process.execPath, ['--import', 'tsx', WORKER], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        ...process.env,
        WORLD: world,
        DATABASE_URL: databaseUrl,
        TEMPORAL_ADDRESS: temporal.address,
        TEMPORAL_TASK_QUEUE: QUEUE,
      },
    });
    const common = { databaseUrl, temporalAddress: temporal.address };
    [api, lonely] = await Promise.all([startApiProcess({ ...common, taskQueue: QUEUE }), startLonely()]);
    const address = {
      name: 'w',
      host: '10.0.0.9',
      domain: 'c.example.test',
      ssh_host_key: `SHA256:${'b'.repeat(43)}`,
    };
    const json = { ...address, sql_user: 'u', sql_password: 'a password' };
    const server = await api.call('POST', '/servers', { json });
    assert.equal(server.status, 201, await server.clone().text());
    serverId = ((await server.json()) as { id: number }).id;
    await pollUntil({
      what: 'the worker polls',
      deadlineMs: 60_000,
      probe: async () => (await readFile(world, 'utf8')).includes('ready') || undefined,
    });
  });
  after(async () => {
    await Promise.all([api?.stop(), lonely?.stop()]);
    worker?.kill('SIGKILL');
    await connection?.close();
    await database?.close();
    await toPostgres?.close();
    await toTemporal?.close();
    await Promise.all([postgres?.stop(), temporal?.stop()]);
    await rm(dir, { recursive: true, force: true });
  });

  const startScripted = async (...steps: ScriptedStep[]) => {
    const id = ulid();
    const operation = { id, actor: 'tester', requestId: null };
    await client.workflow.start('scripted', {
      workflowId: `client:${id}`,
      taskQueue: QUEUE,
      args: [{ operation, params: { subject: `client:${id}`, steps } }],
    });
    await happened(id, 'make', 'one');
    return id;
  };
  const happened = (operation: string, what: string, key: string) =>
    pollUntil({
      what: `${what} ${key}`,
      deadlineMs: 60_000,
      probe: async () => (await readFile(world, 'utf8')).includes(`${what} ${operation} ${key}`) || undefined,
    });
  const timesMade = async (operation: string, key: string) =>
    (await readFile(world, 'utf8')).split(`made ${operation} ${key}\n`).length - 1;
  const follow = async (operation: string, by = api) =>
    readEvents(await by.call('GET', `/operations/${operation}/events`));
  const seqs = (events: Received[]) =>
    events.filter(({ event }) => event === 'line').map(({ data }) => (data as { seq: number }).seq);
  const makeClient = async () => {
    const fields = { serverId, status: 'active' as const, name: 'A', adminLogin: 'a', email: 'a@b.example' };
    const [row] = await database.db
      .insert(clients)
      .values({ ...fields, subdomain: `d${ulid().toLowerCase()}`, versionTag: '1', billingType: 'demo' })
      .returning({ id: clients.id });
    return row?.id ?? 0;
  };
  const operationsOf = (clientId: number) =>
    database.db
      .select()
      .from(operations)
      .where(eq(operations.subject, `client:${clientId}`));
  /** a problem of this code, within this time */
  const refuses = async (call: Promise<Response>, code: string, withinMs: number) => {
    const began = performance.now();
    const response = await call;
    const ms = performance.now() - began;
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('content-type'), 'application/problem+json');
    assert.equal(((await response.json()) as { code: string }).code, code);
    assert.ok(Number(response.headers.get('retry-after')) >= 1);
    assert.ok(ms < withinMs, `${Math.round(ms)} ms`);
  };
  const succeeds = async (stream: Awaited<ReturnType<typeof follow>>) => {
    const events = await stream.ended(60_000);
    const last = events.at(-1);
    assert.equal(last?.event, 'end');
    assert.equal((last.data as { state: string }).state, 'succeeded');
    const numbers = seqs(events);
    // start, two ends of steps and the end; what begins anew after a crash of Postgres does not say so twice
    assert.ok(numbers.length >= 4, JSON.stringify(events));
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index + 1),
    );
  };
  const checks = async (by: ApiProcess) => {
    const response = await by.call('GET', '/health/ready');
    const { checks: found } = (await response.json()) as {
      checks: Record<string, { ok: boolean; error?: string }>;
    };
    return { status: response.status, found };
  };

  it('Temporal away: writes are 503 within 3 s, reads come from the projection, operations go on afterwards', async () => {
    const id = await startScripted({ key: 'one', takesMs: 800 }, { key: 'two' });
    const stream = await follow(id);
    const other = await makeClient();
    await temporal.kill();
    await refuses(api.call('DELETE', `/clients/${other}`), 'temporal_unavailable', 3_000);
    assert.deepEqual(await operationsOf(other), []);
    await refuses(api.call('POST', `/operations/${id}/cancel`, { json: {} }), 'temporal_unavailable', 3_000);
    const bulk = { json: { action: 'cancel', ids: [id] } };
    await refuses(api.call('POST', '/operations/bulk', bulk), 'temporal_unavailable', 3_000);
    const began = performance.now();
    const read = await api.call('GET', `/operations/${id}`);
    assert.ok(performance.now() - began < 1_500);
    assert.equal(read.status, 200);
    assert.equal(((await read.json()) as { source: string }).source, 'projection');
    assert.equal((await checks(api)).found['temporal']?.ok, false);
    await temporal.restart();
    await succeeds(stream);
    await pollUntil({
      what: 'a start',
      deadlineMs: 20_000,
      probe: async () => (await api.call('DELETE', `/clients/${other}`)).status === 202 || undefined,
    });
  });

  it('Postgres away: 503, no crash, back by itself, streams go on', async () => {
    const id = await startScripted({ key: 'one', takesMs: 500 }, { key: 'two' });
    const stream = await follow(id);
    const { port } = new URL(postgres.url);
    const polling = api.call('GET', `/operations/${id}`, { headers: { Prefer: 'wait=20' } });
    await postgres.kill();
    await refuses(api.call('GET', `/operations/${id}`), 'database_unavailable', 2_000);
    await refuses(api.call('DELETE', '/clients/1'), 'database_unavailable', 2_000);
    await refuses(api.call('GET', `/operations/${id}/events`), 'database_unavailable', 2_000);
    assert.ok([200, 503].includes((await polling).status), 'the long poll is answered');
    const { status, found } = await checks(api);
    assert.deepEqual([status, found['postgres']?.ok], [503, false]);
    postgres = await startDatabase(Number(port));
    await succeeds(stream);
    assert.equal((await api.call('GET', `/operations/${id}`)).status, 200);
  });

  it('Postgres slow by 5 s: 503 in less than 2 s, and the operation is unaffected', async () => {
    const id = await startScripted({ key: 'one', takesMs: 400 }, { key: 'two' });
    const stream = await follow(id);
    await stream.until((events) => seqs(events).length > 0);
    toPostgres.setDelay(5_000);
    const reads = Array.from({ length: 20 }, () => api.call('GET', `/operations/${id}`));
    await Promise.all(reads.map((read) => refuses(read, 'database_unavailable', 2_000)));
    await refuses(api.call('DELETE', '/clients/1'), 'database_unavailable', 2_000);
    assert.equal((await api.call('GET', '/health/live')).status, 200);
    toPostgres.setDelay(0);
    // what is still on its way late would now be overtaken
    toPostgres.cut();
    await succeeds(stream);
    assert.equal(await timesMade(id, 'two'), 1);
    assert.equal((await api.call('GET', `/operations/${id}`)).status, 200);
  });

  it('no worker: a start is 202, readiness says that nobody polls, and reads are from the projection', async () => {
    const id = await makeClient();
    const started = await lonely.call('DELETE', `/clients/${id}`);
    assert.equal(started.status, 202);
    const { status, found } = await checks(lonely);
    assert.equal(status, 503);
    assert.deepEqual([found['worker']?.ok, found['worker']?.error], [false, 'no worker polls']);
    assert.equal(found['temporal']?.ok, true);
    const began = performance.now();
    const read = await lonely.call('GET', started.headers.get('location') ?? '');
    assert.ok(performance.now() - began < 1_500);
    const view = (await read.json()) as { state: string; source: string };
    assert.deepEqual([view.state, view.source], ['starting', 'projection']);
    const run = await client.workflow.getHandle(`client:${id}`).describe();
    assert.equal(run.status.name, 'RUNNING');
  });

  it('makes one operation of 20 equal starts while Temporal hangs', async () => {
    const id = await makeClient();
    // the API has just seen Temporal well when it stops answering
    const known = await startScripted({ key: 'one' });
    await api.call('POST', '/operations/bulk', { json: { action: 'retry', ids: [known] } });
    const all = () =>
      Promise.all(
        Array.from({ length: 20 }, async () => {
          const began = performance.now();
          const headers = { 'Idempotency-Key': 'twenty' };
          const response = await api.call('DELETE', `/clients/${id}`, { headers });
          const body = (await response.json()) as { code?: string; operation?: { id: string } };
          return { status: response.status, ms: performance.now() - began, ...body };
        }),
      );
    process.kill(temporal.pid, 'SIGSTOP');
    const paused = await all().finally(() => process.kill(temporal.pid, 'SIGCONT'));
    for (const { status, ms, code } of paused) {
      assert.equal(status, 503);
      assert.ok(code === 'start_unconfirmed' || code === 'temporal_unavailable', code);
      // 3 s, and half a one for 20 at once on a busy machine
      assert.ok(ms < 3_500, `${Math.round(ms)} ms`);
    }
    assert.equal((await operationsOf(id)).length, 1, 'the start was on its way');
    const again = await pollUntil({
      what: 'answers',
      deadlineMs: 20_000,
      probe: async () => {
        const answers = await all();
        return answers.every(({ status }) => status < 300) ? answers : undefined;
      },
    });
    const [row, ...more] = await operationsOf(id);
    assert.deepEqual(more, []);
    assert.deepEqual([...new Set(again.map(({ operation }) => operation?.id))], [row?.id]);
    const run = await client.workflow.getHandle(`client:${id}`).describe();
    assert.equal(run.memo?.['operation'], row?.id);
  });

  it('an API killed between start and answer: the same key finds the same operation', async () => {
    const id = await makeClient();
    const headers = { 'Idempotency-Key': 'killed' };
    toTemporal.setDelay(250);
    const lost = lonely.call('DELETE', `/clients/${id}`, { headers });
    lost.catch(() => undefined);
    await pollUntil({
      what: 'the start arrives',
      deadlineMs: 10_000,
      everyMs: 5,
      probe: async () => (await client.workflow.getHandle(`client:${id}`).describe()).runId,
    });
    lonely.kill('SIGKILL');
    await assert.rejects(lost, 'the answer was still on its way');
    await lonely.stop();
    toTemporal.setDelay(0);
    lonely = await startLonely();
    const again = await lonely.call('DELETE', `/clients/${id}`, { headers });
    assert.equal(again.status, 200);
    const [row, ...more] = await operationsOf(id);
    assert.deepEqual(more, []);
    assert.equal(((await again.json()) as { operation: { id: string } }).operation.id, row?.id);
    const run = await client.workflow.getHandle(`client:${id}`).describe();
    assert.equal(run.memo?.['operation'], row?.id);
  });

  it('an API that is told to stop answers what it was asked, ends its streams, and goes', async () => {
    const id = await startScripted({ key: 'one', takesMs: 60_000 });
    const stream = await follow(id, lonely);
    await stream.until((events) => seqs(events).length >= 2);
    const polling = lonely.call('GET', `/operations/${id}`, { headers: { Prefer: 'wait=20' } });
    // nobody takes it: the answer comes after 2 s
    const unserved = await makeClient();
    await lonely.call('DELETE', `/clients/${unserved}`);
    const [operation] = await operationsOf(unserved);
    const deciding = lonely.call('POST', `/operations/${operation?.id}/cancel`, { json: {} });
    await pollUntil({
      what: 'the cancel arrives',
      deadlineMs: 10_000,
      probe: async () => {
        const { raw } = await client.workflow.getHandle(`client:${unserved}`).describe();
        return Number(raw.workflowExecutionInfo?.historyLength) > 2 || undefined;
      },
    });
    const began = performance.now();
    lonely.kill('SIGTERM');
    assert.equal((await polling).status, 200);
    assert.ok(performance.now() - began < 1_000, 'a long poll is answered at once');
    const events = await stream.ended();
    assert.ok(!events.some(({ event }) => event === 'end'));
    const decided = await deciding;
    assert.equal(decided.status, 202, await decided.text());
    assert.equal(await lonely.exited, 0);
    assert.ok(performance.now() - began < 5_000);
    // the next process goes on where the stream was
    const next = await readEvents(
      await api.call('GET', `/operations/${id}/events`, {
        headers: { 'Last-Event-ID': stream.lastId() ?? '' },
      }),
    );
    const [first] = await next.until((got) => got.length > 0);
    assert.equal(first?.event, 'state', 'no line comes twice');
    next.leave();
  });
});
