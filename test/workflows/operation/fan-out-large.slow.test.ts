import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { count, eq } from 'drizzle-orm';
import { ulid } from 'ulid';
import { archiveOperation } from '../../../activities/operation/operation-archive.js';
import { operations } from '../../../db/schema/index.js';
import { pollUntil } from '../../../process/poll.js';
import { startTemporal, type TemporalServer } from '../../../start/services/temporal.js';
import type { FanOutResult } from '../../../workflows/contract/operation/fan-out.js';
import type { OperationView } from '../../../workflows/contract/operation/operation.js';
import { SEARCH_ATTRIBUTES } from '../../../workflows/contract/search-attributes.js';
import { type ScriptedProcesses, startScriptedProcess } from '../../support/scripted-process.js';
import { openServices, type Services } from '../../support/services.js';
import { archiveOf } from '../../support/sweep.js';

const CHILDREN = 500;
/** every twentieth fails at its first try */
const FAILING = CHILDREN / 20;
/** The server's own default is 4096 events, which this fan-out stays below where much of it comes at once. */
const SUGGEST_AT = 1000;

describe('a fan-out over 500 children', () => {
  let temporal: TemporalServer;
  let services: Services;
  let worker: ScriptedProcesses;
  const taskQueue = `large-${randomBytes(4).toString('hex')}`;
  before(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'slipway-fan-out-'));
    const searchAttributes = Object.keys(SEARCH_ATTRIBUTES);
    const dynamic = [`limit.historyCount.suggestContinueAsNew=${SUGGEST_AT}`];
    temporal = await startTemporal({ dir, log: () => undefined, searchAttributes, dynamic });
    services = await openServices({ temporal: temporal.address });
    worker = await startScriptedProcess(services, taskQueue);
  });
  after(async () => {
    await worker?.stop();
    await services?.close();
    await temporal?.stop();
  });

  async function ended(parent: string): Promise<number> {
    const [row] = await services.database.db
      .select({ done: count(operations.endedAt) })
      .from(operations)
      .where(eq(operations.parentId, parent));
    return row?.done ?? 0;
  }

  it('does each exactly once, over kills of the worker and continue-as-new, and one retry finishes the failed', async () => {
    const id = ulid();
    const subject = `fleet:${id}`;
    const children = Array.from({ length: CHILDREN }, (_, index) => {
      const child = `client:${id}-${index}`;
      const key = index % 20 === 7 ? 'fails-first' : 'one';
      return { subject: child, params: { subject: child, steps: [{ key }] }, group: `server-${index % 3}` };
    });
    const rules = { window: 8, canary: 1, stopAfterFailures: 20 };
    const handle = await services.client.workflow.start('fannedOut', {
      workflowId: subject,
      taskQueue,
      args: [{ operation: { id, actor: 'tester', requestId: null }, params: { subject, children, rules } }],
    });
    for (const share of [0.25, 0.6]) {
      await pollUntil({
        what: `${share} of the children have ended`,
        deadlineMs: 120_000,
        everyMs: 200,
        probe: async () => (await ended(id)) >= CHILDREN * share || undefined,
      });
      await worker.restart();
    }
    const view = await pollUntil({
      what: 'all others are done and the parent holds',
      deadlineMs: 180_000,
      everyMs: 500,
      probe: async () => {
        const now = await services.client.workflow.getHandle(subject).query<OperationView, []>('view');
        return now.state === 'holding' ? now : undefined;
      },
    });
    assert.equal(
      view.steps[0]?.summary,
      `${CHILDREN - FAILING} of ${CHILDREN} done, ${FAILING} waiting for a person`,
    );
    assert.equal(await ended(id), CHILDREN - FAILING);
    await services.client.workflow.getHandle(subject).signal('retry', { note: 'mended' });
    const result = (await handle.result()) as FanOutResult;
    assert.deepEqual(result, { total: CHILDREN, done: CHILDREN, failed: 0, notStarted: 0, open: [] });

    const rows = await services.database.db.select().from(operations).where(eq(operations.parentId, id));
    assert.equal(rows.length, CHILDREN, 'one operation for each child');
    assert.equal(new Set(rows.map(({ subject: child }) => child)).size, CHILDREN);
    const made = (await worker.world()).filter(({ what }) => what.startsWith('made '));
    const byOperation = new Set(made.map(({ what }) => what.split(' ')[1]));
    assert.equal(byOperation.size, CHILDREN);

    const [parent] = await services.database.db.select().from(operations).where(eq(operations.id, id));
    assert.ok(parent);
    await archiveOperation({ db: services.database.db, client: services.client }, parent);
    const timeline = await archiveOf(services.database.db, id);
    const runs = timeline.at(-1)?.run ?? 0;
    assert.ok(runs >= 2, `continued as new at least once, ${runs} runs`);
    assert.equal(timeline.filter(({ type }) => type === 'continued_as_new').length, runs - 1);
    assert.equal(timeline.filter(({ type }) => type === 'child_started').length, CHILDREN);
    assert.equal(timeline.at(-1)?.type, 'ended');
  });
});
