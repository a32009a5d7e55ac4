import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { tsToMs } from '@temporalio/common/lib/time.js';
import { eq } from 'drizzle-orm';
import postgres from 'postgres';
import { ulid } from 'ulid';
import { operations } from '../../../db/schema/index.js';
import { serverAvailability } from '../../../lab/full-server.js';
import { pollUntil } from '../../../process/poll.js';
import { run } from '../../../process/run.js';
import { startTemporalCluster, type TemporalCluster } from '../../../lab/temporal-cluster.js';
import { ensureTemporal } from '../../../start/tools/temporal-cli.js';
import { ensureNamespace } from '../../../worker/namespace.js';
import { ensureSchedules } from '../../../worker/schedules.js';
import { SCHEDULE_IDS } from '../../../workflows/contract/operation/schedules.js';
import { SEARCH_ATTRIBUTES } from '../../../workflows/contract/search-attributes.js';
import { requireKind } from '../../../workflows/contract/kinds.js';
import { startRequest } from '../../../workflows/contract/operation/start.js';
import type { ScriptedStep } from '../../support/scripted-operation.js';
import { type ScriptedProcesses, startScriptedProcess } from '../../support/scripted-process.js';
import { openServices, type Services } from '../../support/services.js';
import { archiveOf, timelineFromHistory } from '../../support/sweep.js';

const WEEK_MS = 7 * 24 * 3_600_000;
/** Fault 1 of `docs/faults.md`, for a worker that is lost inside a step. */
const RESUME_INSIDE_MS = 20_000;
/** What the server itself may need after a crash, with everything that runs on it; alone it is some 15 s. */
const AFTER_CRASH_MS = 60_000;

const available = await serverAvailability();
const reason = available.ok || process.env['CI'] === 'true' ? false : available.reason;

/** In this order, because the later ones kill what the earlier ones need. */
describe('on the full Temporal server with Postgres, with two workers', { skip: reason }, () => {
  const taskQueue = `full-${randomBytes(4).toString('hex')}`;
  let dir: string;
  let temporal: TemporalCluster;
  let services: Services;
  let workers: ScriptedProcesses[] = [];
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'slipway-full-'));
    // Postgres runs as a user of its own, who must get to its directory
    await chmod(dir, 0o711);
    temporal = await startTemporalCluster({ dir, log: (line) => console.log(`# ${line}`) });
    services = await openServices({ temporal: temporal.address });
    // as two workers that start at the same time
    const ensure = async () => {
      await ensureNamespace(services.native, 'default');
      await ensureSchedules(services.native, { namespace: 'default', taskQueue });
    };
    await Promise.all([ensure(), ensure()]);
    workers = await Promise.all([1, 2].map(() => startScriptedProcess(services, taskQueue)));
  });
  after(async () => {
    for (const worker of workers) await worker.stop();
    await services?.close();
    await temporal?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  async function start(workflow: string, id: string, params: { subject: string }, actor = 'tester') {
    const operation = { id, actor, requestId: null };
    return services.client.workflow.start(workflow, {
      workflowId: params.subject,
      taskQueue,
      args: [{ operation, params }],
    });
  }

  async function startScripted(steps: ScriptedStep[], actor?: string): Promise<string> {
    const id = ulid();
    await start('scripted', id, { subject: `client:${id}`, ...{ steps } }, actor);
    return id;
  }

  async function startFanOut(count: number, takesMs: number): Promise<string> {
    const id = ulid();
    const children = Array.from({ length: count }, (_, index) => {
      const subject = `client:${id}-${index}`;
      return { subject, params: { subject, steps: [{ key: 'one', takesMs }] } };
    });
    const rules = { window: 8, canary: 1, stopAfterFailures: 20 };
    await start('fannedOut', id, { subject: `fleet:${id}`, ...{ children, rules } });
    return id;
  }

  const childRows = (id: string) =>
    services.database.db.select().from(operations).where(eq(operations.parentId, id));
  const row = async (id: string) =>
    (await services.database.db.select().from(operations).where(eq(operations.id, id)))[0];

  /** From the row, because a long request to a server that is killed does not come back. */
  async function until(
    id: string,
    what: string,
    test: (found: typeof operations.$inferSelect) => boolean,
    deadlineMs = 30_000,
  ) {
    return pollUntil({
      what: `${what} of ${id}`,
      deadlineMs,
      everyMs: 100,
      probe: async () => {
        const found = await row(id);
        return found !== undefined && test(found) ? found : undefined;
      },
    });
  }

  const ended = (id: string, deadlineMs?: number) =>
    until(id, 'end', ({ endedAt }) => endedAt !== null, deadlineMs);
  const holds = (id: string) => until(id, 'hold', ({ hold }) => hold !== null);

  /** what one worker did for one operation, `make one` */
  async function deeds(worker: ScriptedProcesses, id: string): Promise<string[]> {
    const told = (await worker.world()).map(({ what }) => what.split(' '));
    return told.filter(([, operation]) => operation === id).map(([verb, , key]) => `${verb} ${key}`);
  }

  /** whoever is in the step now */
  function worksOn(id: string, among: ScriptedProcesses[]): Promise<ScriptedProcesses> {
    return pollUntil({
      what: `the step of ${id}`,
      deadlineMs: 30_000,
      probe: async () => {
        for (const worker of among) if ((await deeds(worker, id)).includes('make one')) return worker;
        return undefined;
      },
    });
  }

  it('the workers add the search attributes, the schedules and a week of retention by themselves', async () => {
    const { customAttributes } = await services.native.operatorService.listSearchAttributes({
      namespace: 'default',
    });
    assert.deepEqual(Object.keys(customAttributes).sort(), Object.keys(SEARCH_ATTRIBUTES).sort());
    const { config } = await services.native.workflowService.describeNamespace({ namespace: 'default' });
    assert.equal(tsToMs(config?.workflowExecutionRetentionTtl), WEEK_MS);
    for (const id of Object.values(SCHEDULE_IDS)) {
      const { action } = await services.client.schedule.getHandle(id).describe();
      assert.equal(action.taskQueue, taskQueue);
    }
  });

  it('a start that is asked twice is one run, and its longest words are found', async () => {
    const id = ulid();
    const actor = 'a'.repeat(300);
    const clientId = 1_000_000_000 + Math.floor(Math.random() * 1_000_000_000);
    const asked = {
      ...{ id, kind: 'delete_client', subject: `client:${clientId}`, title: 'Delete', actor },
      ...{ requestId: null, input: { params: { clientId, serverId: 1 } } },
    };
    // nobody polls there
    const place = { namespace: 'default', taskQueue: `${taskQueue}-unpolled`, identity: 'test' };
    const startRaw = (other: Partial<typeof asked> = {}) =>
      services.client.workflowService.startWorkflowExecution(
        startRequest({ ...asked, ...other }, requireKind('delete_client'), place),
      );
    const { runId } = await startRaw();
    assert.equal((await startRaw()).runId, runId);
    await assert.rejects(startRaw({ id: ulid() }), /already running/i);
    const found = await pollUntil({
      what: 'visibility',
      deadlineMs: 20_000,
      everyMs: 100,
      probe: async () => {
        for await (const info of services.client.workflow.list({ query: `OpId='${id}'` })) return info;
        return undefined;
      },
    });
    assert.equal(found.runId, runId);
    assert.equal(found.typedSearchAttributes.get(SEARCH_ATTRIBUTES.Actor), actor.slice(0, 255));
    await services.client.workflow.getHandle(asked.subject).terminate('end of the test');
  });

  it('an operation succeeds, and another is cancelled and rolled back', async () => {
    const good = await startScripted([{ key: 'one' }, { key: 'two' }]);
    const held = await startScripted([{ key: 'one' }, { key: 'fails-first' }]);
    assert.equal((await ended(good)).state, 'succeeded');
    await holds(held);
    await services.client.workflow.getHandle(`client:${held}`).cancel();
    assert.equal((await ended(held)).state, 'cancelled');
    const undone = (await Promise.all(workers.map((worker) => deeds(worker, held)))).flat();
    assert.ok(undone.includes('unmake one'));
  });

  it('everything that holds is retried by one command with a visibility query', async () => {
    const actor = `ann-${ulid()}`;
    const held = await Promise.all([1, 2, 3].map(() => startScripted([{ key: 'fails-first' }], actor)));
    const other = await startScripted([{ key: 'fails-first' }]);
    await Promise.all([...held, other].map(holds));
    const query = `OpState='holding' AND OpKind='scripted' AND Actor='${actor}'`;
    await pollUntil({
      what: 'visibility',
      deadlineMs: 20_000,
      everyMs: 100,
      probe: async () => (await services.client.workflow.count(query)).count === held.length || undefined,
    });
    const cli = await ensureTemporal(() => undefined);
    const signal = ['workflow', 'signal', '--name', 'retry', '--input', '{"note":"mended"}'];
    await run(cli, [
      ...signal,
      '--query',
      query,
      '--reason',
      'mended',
      '--yes',
      '--address',
      temporal.address,
    ]);
    for (const id of held) assert.equal((await ended(id)).state, 'succeeded');
    assert.equal((await row(other))?.state, 'holding', 'what the query does not name still holds');
    await services.client.workflow.getHandle(`client:${other}`).signal('rollback', {});
    assert.equal((await ended(other)).state, 'rolled_back');
  });

  it('a fan-out of 50 is done once each, by both workers', async (t) => {
    const began = performance.now();
    const id = await startFanOut(50, 0);
    assert.equal((await ended(id, 60_000)).state, 'succeeded');
    t.diagnostic(`50 children: ${Math.round(performance.now() - began)} ms`);
    const rows = await childRows(id);
    assert.equal(rows.length, 50);
    assert.ok(rows.every(({ state }) => state === 'succeeded'));
    const made = await Promise.all(
      workers.map(async (worker) =>
        (await worker.world()).filter(({ what }) =>
          rows.some((child) => what.startsWith(`made ${child.id}`)),
        ),
      ),
    );
    assert.equal(made.flat().length, 50);
    assert.ok(made.every((own) => own.length > 0));
    const sql = postgres(temporal.databaseUrl('temporal'), { max: 1 });
    const connections =
      await sql`select datname, count(*) from pg_stat_activity where datname like 'temporal%' group by 1`;
    t.diagnostic(`connections: ${connections.map(({ datname, count }) => `${datname} ${count}`).join(', ')}`);
    await sql.end();
  });

  it('ten activities in a row are measured', async (t) => {
    const times: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      const handle = await services.client.workflow.start('tenActivities', {
        workflowId: `ten:${ulid()}`,
        taskQueue,
      });
      await handle.result();
      const { startTime, closeTime } = await handle.describe();
      times.push((closeTime?.getTime() ?? Number.NaN) - startTime.getTime());
    }
    t.diagnostic(`ten activities: ${times.join(', ')} ms`);
  });

  it('the other worker goes on within 20 s when one is killed inside a step', async (t) => {
    const id = await startScripted([{ key: 'one', takesMs: 5_000 }, { key: 'two' }]);
    const lost = await worksOn(id, workers);
    workers = workers.filter((worker) => worker !== lost);
    await lost.stop();
    const killed = performance.now();
    await worksOn(id, workers);
    const tookMs = Math.round(performance.now() - killed);
    t.diagnostic(`resumed after ${tookMs} ms`);
    assert.ok(tookMs < RESUME_INSIDE_MS, `${tookMs} ms`);
    assert.equal((await ended(id)).state, 'succeeded');
    workers.push(await startScriptedProcess(services, taskQueue));
  });

  it('everything ends when the server is killed in the middle and started again', async (t) => {
    const running = await startScripted([{ key: 'one', takesMs: 4_000 }, { key: 'two' }]);
    const held = await startScripted([{ key: 'one' }, { key: 'fails-first' }]);
    const many = await startFanOut(12, 300);
    await holds(held);
    await worksOn(running, workers);
    await pollUntil({
      what: 'some children have ended',
      deadlineMs: 30_000,
      probe: async () => (await childRows(many)).filter((child) => child.endedAt).length >= 3 || undefined,
    });
    await temporal.kill();
    assert.equal((await row(many))?.endedAt, null, 'killed in the middle');
    await temporal.restart();
    const began = performance.now();
    const retry = () => services.client.workflow.getHandle(`client:${held}`).signal('retry', {});
    await pollUntil({
      what: 'a signal',
      deadlineMs: AFTER_CRASH_MS,
      probe: async () => retry().then(() => true),
    });
    for (const id of [running, held, many])
      assert.equal((await ended(id, AFTER_CRASH_MS)).state, 'succeeded', id);
    t.diagnostic(`all had ended after ${Math.round(performance.now() - began)} ms`);
    assert.equal((await childRows(many)).length, 12, 'each child ran as one operation');
  });

  it('the minute schedule archives what has ended, as its history is', async () => {
    await services.client.schedule.getHandle(SCHEDULE_IDS.minute).trigger();
    const { db } = services.database;
    const rows = await pollUntil({
      what: 'all is archived',
      deadlineMs: 60_000,
      everyMs: 200,
      probe: async () => {
        const all = await db.select().from(operations);
        return all.every(({ archivedAt }) => archivedAt !== null) ? all : undefined;
      },
    });
    assert.ok(rows.length > 60);
    for (const { id, subject, runId } of rows.filter(({ parentId }) => parentId === null))
      assert.deepEqual(
        await archiveOf(db, id),
        await timelineFromHistory(services.client, subject, runId ?? ''),
      );
  });
});
