import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { desc, eq } from 'drizzle-orm';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { ulid } from 'ulid';
import { admissions, operations, operationUndos } from '../../../db/schema/index.js';
import { pollUntil } from '../../../process/poll.js';
import { createGate } from '../../support/gate.js';
import {
  failing,
  openScriptedSystem,
  type ScriptedRun,
  type ScriptedSystem,
} from '../../support/scripted-world.js';

/** Two subjects of a test's own; `low` sorts before `high`. */
function newSubjects() {
  const id = ulid();
  return { low: `client:${id}a`, high: `client:${id}b` };
}

describe('a borrowed subject', { concurrency: 8 }, () => {
  let system: ScriptedSystem;
  before(async () => {
    system = await openScriptedSystem();
  });
  after(() => system?.close());

  const works = (run: ScriptedRun) =>
    pollUntil({
      what: `work of ${run.id}`,
      deadlineMs: 30_000,
      probe: async () => (run.things().length > 0 ? true : undefined),
    });
  const newest = async (subject: string) => {
    const rows = system.database.db.select().from(operations).where(eq(operations.subject, subject));
    return (await rows.orderBy(desc(operations.id)))[0];
  };
  const running = async (subject: string): Promise<boolean> =>
    (await system.client.workflow.getHandle(subject).describe()).status.name === 'RUNNING';
  const freed = (subject: string) =>
    pollUntil({
      what: `end of the lend of ${subject}`,
      deadlineMs: 30_000,
      probe: async () => ((await running(subject)) ? undefined : true),
    });

  /** Borrows and works until its gate is opened. */
  async function borrower(subject: string, borrows: string[], server?: number) {
    const gate = createGate();
    const run = await system.start([{ key: 'one' }], {
      subject,
      borrows,
      faults: { 'in:one': gate.wait },
      ...(server === undefined ? {} : { admission: { places: [`server:${server}`] } }),
    });
    return { run, gate };
  }

  it("is held by an operation of kind lend under its id, until the borrower's end", async () => {
    const { low, high } = newSubjects();
    const { run, gate } = await borrower(high, [low]);
    await works(run);
    const lend = await newest(low);
    assert.deepEqual([lend?.kind, lend?.state], ['lend', 'running']);
    const { memo } = await system.client.workflow.getHandle(low).describe();
    assert.equal(memo?.['operation'], lend?.id);
    gate.open();
    assert.equal((await run.ended()).state, 'succeeded');
    assert.equal(await running(low), false);
    assert.equal((await newest(low))?.state, 'succeeded');
  });

  it('refuses any other start', async () => {
    const { low, high } = newSubjects();
    const { run, gate } = await borrower(low, [high]);
    await works(run);
    await assert.rejects(
      system.start([{ key: 'one' }], { subject: high }),
      WorkflowExecutionAlreadyStartedError,
    );
    gate.open();
    await run.ended();
    assert.equal(
      (await (await system.start([{ key: 'one' }], { subject: high })).ended()).state,
      'succeeded',
    );
  });

  it('that is busy is waited for, visibly, when the own id sorts before it', async () => {
    const { low, high } = newSubjects();
    const holder = await borrower(high, []);
    await works(holder.run);
    const { run, gate } = await borrower(low, [high]);
    const { waitingFor } = await run.until('wait', (view) => view.waitingFor !== undefined);
    assert.equal(waitingFor, `${high} (scripted ${holder.run.id})`);
    gate.open();
    assert.deepEqual(run.things(), []);
    holder.gate.open();
    assert.equal((await run.ended()).state, 'succeeded');
    const { log } = system.world;
    assert.ok(log.indexOf(`made ${holder.run.id} one`) < log.indexOf(`make ${run.id} one`));
  });

  it('that is busy is tried once when the own id sorts after it; then Conflict', async () => {
    const { low, high } = newSubjects();
    const holder = await borrower(low, []);
    await works(holder.run);
    const { run } = await borrower(high, [low]);
    const { state, error } = await run.ended();
    assert.equal(state, 'rolled_back');
    assert.deepEqual(
      [error?.kind, error?.message],
      ['Conflict', `${low} is busy with scripted ${holder.run.id}`],
    );
    assert.deepEqual(await run.steps(), []);
    holder.gate.open();
    assert.equal((await holder.run.ended()).state, 'succeeded');
  });

  it('never makes two borrowers wait for each other', async () => {
    const { low, high } = newSubjects();
    const [one, two] = await Promise.all([borrower(low, [high]), borrower(high, [low])]);
    one.gate.open();
    two.gate.open();
    const first = await one.run.ended();
    const second = await two.run.ended();
    assert.equal(first.state, 'succeeded');
    assert.equal(second.error?.kind ?? 'Conflict', 'Conflict');
    for (const subject of [low, high]) assert.equal(await running(subject), false);
  });

  it('is freed after the undos', async () => {
    const { low, high } = newSubjects();
    const gate = createGate();
    const run = await system.start([{ key: 'one' }, { key: 'two' }], {
      subject: low,
      borrows: [high],
      faults: { 'do:two': failing('Conflict'), 'undo:one': gate.wait },
    });
    await run.until('undo', ({ state }) => state === 'rolling_back');
    assert.equal((await newest(high))?.state, 'running');
    gate.open();
    assert.equal((await run.ended()).state, 'rolled_back');
    assert.deepEqual(run.things(), []);
    assert.equal(await running(high), false);
  });

  it('is not freed by a cancel while its borrower lives: the cancel is an ignored decision', async () => {
    const { low, high } = newSubjects();
    const { run, gate } = await borrower(low, [high]);
    await works(run);
    await system.client.workflow.getHandle(high).cancel();
    const lend = await pollUntil({
      what: 'decision',
      deadlineMs: 30_000,
      probe: async () => {
        const row = await newest(high);
        return row !== undefined && row.decisions.length > 0 ? row : undefined;
      },
    });
    const [decision] = lend.decisions;
    assert.deepEqual([decision?.action, decision?.accepted], ['cancel', false]);
    assert.equal(await running(high), true);
    // a second cancel never reaches it: it looks by itself
    await run.handle.terminate('gone');
    await freed(high);
    gate.open();
  });

  it('is freed when its borrower dies, and its end restricts nothing', async () => {
    const { low, high } = newSubjects();
    const { run, gate } = await borrower(low, [high]);
    await works(run);
    await run.handle.terminate('gone');
    await freed(high);
    assert.equal((await newest(high))?.state, 'succeeded');
    gate.open();
    assert.equal(
      (await (await system.start([{ key: 'one' }], { subject: high })).ended()).state,
      'succeeded',
    );
  });

  it('is refused where undos are open, as to any other operation', async () => {
    const { low, high } = newSubjects();
    const left = ulid();
    const { db } = system.database;
    const row = { kind: 'scripted', subject: high, title: 'T', actor: 'a', input: {}, endedAt: new Date() };
    await db.insert(operations).values({ id: left, state: 'rollback_incomplete', ...row });
    const undo = { id: 'one#1', seq: 1, step: 'one', title: 'One', activity: 'test.unmake', input: {} };
    await db.insert(operationUndos).values({ operationId: left, state: 'failed', ...undo });
    const { run } = await borrower(low, [high]);
    const { state, error } = await run.ended();
    assert.equal(state, 'rolled_back');
    assert.equal(error?.kind, 'Conflict');
    assert.match(error?.message ?? '', new RegExp(`^${high}: .*clean up first`));
  });

  it('is taken before admission: nothing is waited for while an admission is held', async () => {
    const { low, high } = newSubjects();
    const server = Number.parseInt(low.slice(-8, -2), 32) || 1;
    const holder = await borrower(high, []);
    await works(holder.run);
    const { run, gate } = await borrower(low, [high], server);
    await run.until('wait', ({ waitingFor }) => waitingFor !== undefined);
    const { db } = system.database;
    const rows = () => db.select().from(admissions).where(eq(admissions.operationId, run.id));
    assert.deepEqual(await rows(), []);
    holder.gate.open();
    await works(run);
    assert.deepEqual(
      (await rows()).map(({ grantedAt }) => grantedAt !== null),
      [true],
    );
    gate.open();
    assert.equal((await run.ended()).state, 'succeeded');
  });

  it('cannot be the own one', async () => {
    const { low } = newSubjects();
    const { run } = await borrower(low, [low]);
    await assert.rejects(run.handle.result(), /Workflow execution failed/);
    assert.deepEqual(run.things(), []);
  });
});

describe('a wait for a borrowed subject that lasts too long', () => {
  let system: ScriptedSystem;
  before(async () => {
    system = await openScriptedSystem({ busyWaitMs: 500 });
  });
  after(() => system?.close());

  it('ends the operation, naming the holder', async () => {
    const { low, high } = newSubjects();
    const gate = createGate();
    const options = { subject: high, faults: { 'in:one': gate.wait } };
    const holder = await system.start([{ key: 'one' }], options);
    await holder.until('step', ({ steps }) => steps.length > 0);
    const run = await system.start([{ key: 'one' }], { subject: low, borrows: [high] });
    const { state, error } = await run.ended();
    assert.equal(state, 'rolled_back');
    assert.deepEqual(
      [error?.kind, error?.message],
      ['Conflict', `${high} is still busy with scripted ${holder.id}`],
    );
    gate.open();
    await holder.ended();
  });
});
