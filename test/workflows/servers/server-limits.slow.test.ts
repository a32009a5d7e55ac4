import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { WorkflowNotFoundError } from '@temporalio/client';
import { eq } from 'drizzle-orm';
import { ulid } from 'ulid';
import { operations } from '../../../db/schema/index.js';
import { pollUntil } from '../../../process/poll.js';
import { failing, openScriptedSystem, type ScriptedSystem } from '../../support/scripted-world.js';
import { archiveOf, sweep } from '../../support/sweep.js';

const FLOOD = 1_000;
const AT_ONCE = 40;

/** What Temporal bounds, or leaves to time. */
describe('an operation', () => {
  let system: ScriptedSystem;
  before(async () => {
    system = await openScriptedSystem();
  });
  after(() => system?.close());

  it(`stays well under a flood of ${FLOOD} signals, and takes the one that fits`, async () => {
    const run = await system.start([{ key: 'one' }, { key: 'two' }], {
      faults: { 'do:one': failing('CommandFailed', 1) },
    });
    await run.until('hold', ({ hold }) => hold !== null);
    for (let sent = 0; sent < FLOOD; sent += AT_ONCE) {
      const batch = Array.from({ length: AT_ONCE }, (_, index) =>
        run.handle.signal('retry', { id: `d${sent + index}`, hold: 7, actor: 'script', note: 'again' }),
      );
      await Promise.all(batch);
    }
    await run.handle.signal('retry', { id: 'real', hold: 1, actor: 'ops' });
    assert.equal((await run.ended()).state, 'succeeded');
    assert.deepEqual(run.things(), ['one', 'two']);
    const { historyLength, historySize } = await run.handle.describe();
    // the server ends a run at 51,200 events or 50 MB
    assert.ok(
      historyLength < 3 * FLOOD && (historySize ?? 0) < 5_000_000,
      `${historyLength}, ${historySize}`,
    );
    const { decisions = [] } = (await run.row()) ?? {};
    assert.ok(decisions.length < FLOOD);
    assert.deepEqual(
      decisions.filter(({ accepted }) => accepted).map(({ id }) => id),
      ['real'],
    );
  });

  it('whose step answers more than Temporal takes holds, visibly, instead of trying for ever', async () => {
    const run = await system.start([{ key: 'huge' }]);
    const { hold } = await run.until('hold', (view) => view.hold !== null);
    assert.equal(hold?.step, 'huge');
    assert.match(hold?.error.message ?? '', /size|large/);
    await run.handle.signal('retry', {});
    assert.equal((await run.ended()).state, 'succeeded');
  });

  it('that was started while no worker ran, an hour ago, is lost neither to the sweep nor to time', async () => {
    const { client, taskQueue, database } = system;
    await system.stopWorker();
    const id = ulid();
    const hourAgo = new Date(Date.now() - 3_600_000);
    const run = await system.start([{ key: 'one' }], { request: { id } });
    await database.db.insert(operations).values({
      ...{
        id,
        subject: run.subject,
        kind: 'scripted',
        title: 'Scripted',
        state: 'starting',
        actor: 'tester',
      },
      ...{ input: {}, confirmedAt: hourAgo, startedAt: hourAgo, runId: (await run.handle.describe()).runId },
    });
    assert.equal((await run.handle.describe()).status.name, 'RUNNING');
    await system.startWorker();
    await sweep(client, taskQueue);
    assert.equal((await run.ended()).state, 'succeeded');
    assert.deepEqual(run.things(), ['one']);
  });

  it('keeps its log, its steps and its timeline when its history is deleted', async () => {
    const { client, taskQueue, database } = system;
    const run = await system.start([{ key: 'one' }, { key: 'two' }]);
    await run.ended();
    await sweep(client, taskQueue);
    const told = async () => ({
      row: (await database.db.select().from(operations).where(eq(operations.id, run.id)))[0],
      lines: await run.lines(),
      steps: await run.steps(),
      timeline: await archiveOf(database.db, run.id),
    });
    const before = await told();
    assert.ok(before.timeline.length > 5 && before.lines.length > 3);
    const { runId } = await run.handle.describe();
    await client.workflowService.deleteWorkflowExecution({
      namespace: 'default',
      workflowExecution: { workflowId: run.subject, runId },
    });
    await pollUntil({
      what: 'its history is gone',
      deadlineMs: 40_000,
      everyMs: 100,
      probe: async () => {
        const found = await run.handle.describe().catch((error: unknown) => error);
        return found instanceof WorkflowNotFoundError || undefined;
      },
    });
    await sweep(client, taskQueue);
    assert.deepEqual(await told(), before);
  });
});
