import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { and, eq } from 'drizzle-orm';
import {
  admissions,
  notices,
  operationEvents,
  operations,
  operationSteps,
  operationUndos,
} from '../../../db/schema/index.js';
import { pollUntil } from '../../../process/poll.js';
import { bundleWorkflows } from '../../../worker/bundle.js';
import {
  failing,
  openScriptedSystem,
  type ScriptedRun,
  type ScriptedSystem,
} from '../../support/scripted-world.js';
import { testBundle } from '../../support/services.js';
import { sweep } from '../../support/sweep.js';

describe('the minute sweep', () => {
  let system: ScriptedSystem;
  before(async () => {
    system = await openScriptedSystem();
  });
  after(() => system?.close());

  /** As the rows are when every writer died or gave up before the end was recorded. */
  async function forgetEnd({ id, row }: ScriptedRun): Promise<void> {
    const { db } = system.database;
    const ended = await row();
    await db
      .delete(operationEvents)
      .where(and(eq(operationEvents.operationId, id), eq(operationEvents.type, 'ended')));
    const left = await db.select().from(operationEvents).where(eq(operationEvents.operationId, id));
    await db
      .update(operations)
      .set({
        state: 'running',
        endedAt: null,
        archivedAt: null,
        result: null,
        error: null,
        leftovers: [],
        lastRecord: (ended?.lastRecord ?? 1) - 1,
        lastEvent: left.length,
      })
      .where(eq(operations.id, id));
    await db
      .update(operationSteps)
      .set({ state: 'running', endedAt: null })
      .where(eq(operationSteps.operationId, id));
    await db
      .update(operationUndos)
      .set({ state: 'registered', finishedAt: null })
      .where(eq(operationUndos.operationId, id));
  }

  async function told(run: ScriptedRun) {
    const row = await run.row();
    const steps = (await run.steps()).map(({ key, state, error }) => ({ key, state, error }));
    const undos = (await run.undos()).map(({ id, state }) => ({ id, state }));
    const { state, result, error, leftovers, warnings, hold, decisions } = row ?? {};
    return {
      ...{ state, result, error, leftovers, warnings, hold, decisions },
      lines: await run.lines(),
      steps: steps.sort((a, b) => a.key.localeCompare(b.key)),
      undos: undos.sort((a, b) => a.id.localeCompare(b.id)),
    };
  }

  it('takes the end from history when its writer died before the record', async () => {
    const { client, taskQueue } = system;
    const succeeded = await system.start([{ key: 'a' }, { key: 'b', undo: false }]);
    const warned = await system.start([{ key: 'a' }, { key: 'b', onFail: 'warn' }], {
      faults: { 'do:b': failing('CommandFailed') },
    });
    const rolledBack = await system.start([{ key: 'a' }, { key: 'b' }], {
      faults: { 'do:b': failing('InvalidInput') },
    });
    const incomplete = await system.start([{ key: 'a' }, { key: 'b' }, { key: 'c' }], {
      faults: { 'do:c': failing('InvalidInput'), 'undo:a': failing('Unauthorized') },
    });
    const cancelled = await system.start([{ key: 'a' }, { key: 'b' }], {
      faults: { 'do:b': failing('CommandFailed') },
    });
    await cancelled.until('hold', ({ hold }) => hold !== null);
    await cancelled.handle.cancel();
    const skipped = await system.start([{ key: 'a', skippable: true }], {
      faults: { 'do:a': failing('CommandFailed') },
    });
    await skipped.until('hold', ({ hold }) => hold !== null);
    await skipped.handle.signal('skip', { note: 'not needed', actor: 'ann' });
    const runs = { succeeded, warned, rolledBack, incomplete, cancelled, skipped };
    for (const [name, run] of Object.entries(runs)) {
      await run.ended();
      const before = await told(run);
      await forgetEnd(run);
      assert.notDeepEqual(await told(run), before);
      await sweep(client, taskQueue);
      assert.deepEqual(await told(run), before, name);
    }
    const states = await Promise.all(Object.values(runs).map(async (run) => (await run.row())?.state));
    assert.deepEqual(states, [
      ...['succeeded', 'succeeded_with_warnings', 'rolled_back'],
      ...['rollback_incomplete', 'cancelled', 'succeeded_with_warnings'],
    ]);
  });

  it('ends the row of a run that failed before it could claim it', async () => {
    const { client, taskQueue, database } = system;
    const subject = `client:none-${Date.now()}`;
    const id = '01K4Q2V7T3W9Z8X6C5B4N3M2A1';
    await database.db.insert(operations).values({
      ...{ id, subject, kind: 'scripted', title: 'Scripted', state: 'starting', actor: 'tester' },
      ...{ input: {}, confirmedAt: new Date() },
    });
    const args = [{ params: { subject, steps: 'none' } }];
    const memo = { operation: id };
    await client.workflow
      .execute('scripted', { workflowId: subject, taskQueue, args, memo })
      .catch(() => undefined);
    await sweep(client, taskQueue);
    const [row] = await database.db.select().from(operations).where(eq(operations.id, id));
    assert.equal(row?.state, 'rolled_back');
    assert.deepEqual(row?.error, { kind: 'InvalidInput', message: '"steps" must be a list' });
    const lines = await database.db.select().from(operationEvents).where(eq(operationEvents.operationId, id));
    assert.deepEqual(
      lines.map(({ type, message }) => [type, message]),
      [['ended', 'Scripted: rolled back: "steps" must be a list']],
    );
  });

  it('ends the row also when records are said to be newer than the end', async () => {
    const { client, taskQueue, database } = system;
    const run = await system.start([{ key: 'a' }, { key: 'b' }], {
      faults: { 'do:b': failing('InvalidInput') },
    });
    const { lastRecord } = await run.ended();
    await forgetEnd(run);
    await database.db
      .update(operations)
      .set({ lastRecord: lastRecord + 1 })
      .where(eq(operations.id, run.id));
    await database.db
      .insert(admissions)
      .values({ place: 'server:1', operationId: run.id, rootId: run.id, mode: 'shared', taking: 1 });
    await sweep(client, taskQueue);
    const row = await run.row();
    assert.equal(row?.state, 'rolled_back');
    assert.equal(row.error?.kind, 'InvalidInput');
    assert.ok(row.endedAt);
    const stays = await database.db.select().from(admissions).where(eq(admissions.operationId, run.id));
    assert.deepEqual(stays, []);
  });

  it('takes a hold from history whose record was lost, and tells people', async () => {
    const { client, taskQueue, database } = system;
    const { db } = database;
    const run = await system.start([{ key: 'a' }], { faults: { 'do:a': failing('CommandFailed') } });
    await run.until('hold', ({ hold }) => hold !== null);
    const before = await run.row();
    await db
      .update(operations)
      .set({ state: 'running', hold: null, lastRecord: (before?.lastRecord ?? 1) - 1 })
      .where(eq(operations.id, run.id));
    await db.delete(notices).where(eq(notices.operationId, run.id));
    await sweep(client, taskQueue);
    const { state, hold, lastRecord } = (await run.row()) ?? {};
    assert.deepEqual(
      { state, hold, lastRecord },
      { state: 'holding', hold: before?.hold, lastRecord: before?.lastRecord },
    );
    const told = await db.select().from(notices).where(eq(notices.operationId, run.id));
    assert.deepEqual(
      told.map(({ id }) => id),
      [`${run.id}:hold:1`],
    );
    await run.handle.signal('rollback', {});
    await run.ended();
  });

  it('leaves running and held operations as they are', async () => {
    const run = await system.start([{ key: 'a' }], { faults: { 'do:a': failing('CommandFailed') } });
    await run.until('hold', ({ hold }) => hold !== null);
    const before = await run.row();
    await sweep(system.client, system.taskQueue);
    assert.deepEqual(await run.row(), before);
    await run.handle.signal('rollback', {});
    await run.ended();
  });
});

describe('an operation whose code fails repeatedly', () => {
  it('shows `stuck`; a fixed deployment heals it', async () => {
    const broken = await bundleWorkflows(
      new URL('../../support/stuck-workflows.ts', import.meta.url).pathname,
    );
    const system = await openScriptedSystem({}, { workflowBundle: broken });
    try {
      const { client, taskQueue } = system;
      const run = await system.start([{ key: 'a' }], { workflowTaskTimeout: '1 second' });
      await pollUntil({
        what: 'third attempt of the workflow task',
        deadlineMs: 30_000,
        probe: async () => {
          const { raw } = await run.handle.describe();
          return (raw.pendingWorkflowTask?.attempt ?? 0) >= 3 ? true : undefined;
        },
      });
      // as the API has recorded it: the bug keeps it from claiming its row
      await system.database.db.insert(operations).values({
        ...{ id: run.id, subject: run.subject, kind: 'scripted', title: 'Scripted', state: 'starting' },
        ...{ actor: 'tester', input: {}, confirmedAt: new Date() },
        runId: (await run.handle.describe()).runId,
      });
      await sweep(client, taskQueue);
      assert.equal((await run.row())?.stuck, true);
      await system.stopWorker();
      await system.startWorker(await testBundle());
      await pollUntil({
        what: 'a healed row',
        deadlineMs: 30_000,
        everyMs: 100,
        probe: async () => {
          await sweep(client, taskQueue);
          const row = await run.row();
          return row?.stuck === false || row?.state === 'succeeded' ? true : undefined;
        },
      });
      assert.equal((await run.ended()).state, 'succeeded');
    } finally {
      await system.close();
    }
  });
});
