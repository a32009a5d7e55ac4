import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import { eq } from 'drizzle-orm';
import { ulid } from 'ulid';
import { createFanOutRecords } from '../../../activities/operation/children.js';
import { operations } from '../../../db/schema/index.js';
import { pollUntil } from '../../../process/poll.js';
import type { FanOutResult, FanOutRules } from '../../../workflows/contract/operation/fan-out.js';
import type { OperationRequest, OperationView } from '../../../workflows/contract/operation/operation.js';
import type { ScriptedStep } from '../../support/scripted-operation.js';
import { openScriptedSystem, type ScriptedSystem } from '../../support/scripted-world.js';

// a fan-out that never ends must not hold up all others: 40 s on a machine three times as busy as two cores allow
describe('a fan-out', { concurrency: 4, timeout: 240_000 }, () => {
  let system: ScriptedSystem;
  before(async () => {
    // of five minutes; a child that speaks is not asked anyhow
    system = await openScriptedSystem({ silenceMs: 1_000 });
  });
  after(() => system?.close());

  const step = (key: string): ScriptedStep[] => [{ key }];
  const rules: FanOutRules = { window: 3, canary: 1, stopAfterFailures: 20 };

  async function start(
    childSteps: Record<string, ScriptedStep[]>,
    options: { rules?: Partial<FanOutRules>; request?: Partial<OperationRequest>; also?: string[] } = {},
  ) {
    const id = ulid();
    const subject = `fleet:${id}`;
    const children = Object.entries(childSteps).map(([name, steps]) => {
      const child = `client:${id}-${name}`;
      return { subject: child, params: { subject: child, steps } };
    });
    for (const also of options.also ?? [])
      children.push({ subject: also, params: { subject: also, steps: step('one') } });
    const operation: OperationRequest = { id, actor: 'tester', requestId: null, ...options.request };
    const handle = await system.client.workflow.start('fannedOut', {
      workflowId: subject,
      taskQueue: system.taskQueue,
      args: [{ operation, params: { subject, children, rules: { ...rules, ...options.rules } } }],
    });
    return { id, handle };
  }

  function until(handle: WorkflowHandle, what: string, test: (view: OperationView) => boolean) {
    return pollUntil({
      what,
      deadlineMs: 60_000,
      everyMs: 100,
      probe: async () => {
        const view = await handle.query<OperationView, []>('view');
        return test(view) ? view : undefined;
      },
    });
  }

  const childRows = (id: string) =>
    system.database.db.select().from(operations).where(eq(operations.parentId, id));
  const result = (handle: WorkflowHandle) => handle.result() as Promise<FanOutResult>;

  function several(count: number, steps: (index: number) => ScriptedStep[] = () => step('one')) {
    return Object.fromEntries(Array.from({ length: count }, (_, index) => [`n${index}`, steps(index)]));
  }

  it('runs every child exactly once under its own subject, as an operation of its own', async () => {
    const { id, handle } = await start(several(8));
    assert.deepEqual(await result(handle), { total: 8, done: 8, failed: 0, notStarted: 0, open: [] });
    const rows = await childRows(id);
    assert.equal(rows.length, 8);
    assert.ok(rows.every(({ state }) => state === 'succeeded'));
    assert.equal(new Set(rows.map(({ subject }) => subject)).size, 8);
    const view = await handle.query<OperationView, []>('view');
    assert.equal(view.steps[0]?.summary, '8 of 8 done');
  });

  it('is stopped by a failed canary and holds; retry starts it again and goes on with the others', async () => {
    const run = await start(
      several(4, (index) => (index === 0 ? [{ key: 'fails-first' }] : step('one'))),
      { request: { onFailure: 'rollback' } },
    );
    // on_failure=rollback of the parent is that of its children and its own: nobody is asked
    await assert.rejects(result(run.handle));
    assert.equal((await childRows(run.id)).length, 1);

    const held = await start(several(4, (index) => (index === 0 ? [{ key: 'fails-first' }] : step('one'))));
    const view = await until(held.handle, 'the parent holds', ({ state }) => state === 'holding');
    assert.deepEqual(view.hold?.actions, ['retry', 'rollback']);
    assert.match(view.hold?.error.message ?? '', /client:.*n0 holding/);
    assert.equal((await childRows(held.id)).length, 1, 'nothing else was started');
    await held.handle.signal('retry', { note: 'mended' });
    assert.equal((await result(held.handle)).done, 4);
    assert.equal((await childRows(held.id)).length, 4);
  });

  it('goes on with the others once its held canary was mended below, and retries nothing by itself', async () => {
    const { id, handle } = await start(
      several(4, (index) => (index === 0 ? [{ key: 'fails-first' }] : step('one'))),
    );
    await until(handle, 'the parent holds', ({ state }) => state === 'holding');
    const [canary] = await childRows(id);
    assert.ok(canary);
    await system.client.workflow.getHandle(canary.subject).signal('retry', {});
    assert.equal((await result(handle)).done, 4);
    const view = await handle.query<OperationView, []>('view');
    assert.deepEqual([view.decisions, view.hold], [[], null]);
  });

  it('frees the place of a held child, ends when all have ended, and one retry finishes the held ones', async () => {
    const names = several(12, (index) =>
      index === 5 || index === 9 ? [{ key: 'fails-first' }] : step('one'),
    );
    const { id, handle } = await start(names, { rules: { stopAfterFailures: 50 } });
    const view = await until(handle, 'all others are done', ({ state }) => state === 'holding');
    assert.equal(view.steps[0]?.summary, '10 of 12 done, 2 waiting for a person');
    await handle.signal('retry', { actor: 'operator', note: 'mended' });
    assert.equal((await result(handle)).done, 12);
    const rows = await childRows(id);
    assert.equal(rows.length, 12, 'each child ran once');
    const decided = rows.flatMap(({ decisions }) => decisions);
    assert.deepEqual(
      decided.map(({ action, actor, accepted }) => ({ action, actor, accepted })),
      Array.from({ length: 2 }, () => ({ action: 'retry', actor: 'operator', accepted: true })),
    );
  });

  it('rollback starts no more and leaves what is done as it is; held children roll back', async () => {
    const names = several(6, (index) =>
      index === 2 || index === 3 ? [{ key: 'fails-first' }] : step('one'),
    );
    const { id, handle } = await start(names, { rules: { window: 1, stopAfterFailures: 20 } });
    await until(handle, 'the parent holds', ({ state }) => state === 'holding');
    await handle.signal('rollback', { note: 'not today' });
    const { done, failed, notStarted } = await result(handle);
    assert.deepEqual({ done, failed, notStarted }, { done: 2, failed: 2, notStarted: 2 });
    const states = (await childRows(id)).map(({ state }) => state).sort();
    assert.deepEqual(states, ['rolled_back', 'rolled_back', 'succeeded', 'succeeded']);
    const [row] = await system.database.db.select().from(operations).where(eq(operations.id, id));
    assert.equal(row?.state, 'succeeded_with_warnings');
    assert.match(row?.warnings[0]?.message ?? '', /2 of 6 done, 2 failed/);
  });

  it('a cancel of the parent cancels running children and starts no more', async () => {
    const names = several(5, (index) => step(index === 0 ? 'one' : 'until-cancelled'));
    const { id, handle } = await start(names, { rules: { window: 2 } });
    await pollUntil({
      what: 'two children run',
      deadlineMs: 30_000,
      probe: async () =>
        (await childRows(id)).filter(({ state }) => state === 'running').length === 2 || undefined,
    });
    await handle.cancel();
    await assert.rejects(result(handle));
    const states = (await childRows(id)).map(({ state }) => state).sort();
    assert.deepEqual(states, ['cancelled', 'cancelled', 'succeeded']);
    const [row] = await system.database.db.select().from(operations).where(eq(operations.id, id));
    assert.equal(row?.state, 'cancelled');
  });

  it('waits for a busy subject and never runs beside its holder', async () => {
    const blocker = await system.start([{ key: 'slow', takesMs: 1_500 }]);
    const id = ulid();
    const subject = `fleet:${id}`;
    const children = [{ subject: blocker.subject, params: { subject: blocker.subject, steps: step('one') } }];
    const handle = await system.client.workflow.start('fannedOut', {
      workflowId: subject,
      taskQueue: system.taskQueue,
      args: [{ operation: { id, actor: 'tester', requestId: null }, params: { subject, children, rules } }],
    });
    assert.equal((await result(handle)).done, 1);
    const [child] = await childRows(id);
    const before = await blocker.row();
    assert.ok(before?.endedAt && child && child.startedAt >= before.endedAt);
  });

  it('starts nobody once it is stopped, not even who waited for a busy subject', async () => {
    const blocker = await system.start([{ key: 'slow', takesMs: 4_000 }]);
    const { id, handle } = await start(
      { n0: [{ key: 'fails-first' }], n1: [{ key: 'fails-first' }] },
      { rules: { canary: 0 }, also: [blocker.subject] },
    );
    await until(handle, 'the parent holds', ({ state }) => state === 'holding');
    await blocker.ended();
    await pollUntil({
      what: 'nobody is waited for any more',
      deadlineMs: 60_000,
      everyMs: 100,
      probe: async () => (await handle.describe()).raw.pendingActivities?.length === 0 || undefined,
    });
    await handle.signal('rollback', { note: 'not today' });
    // none was done: the whole is taken back
    await assert.rejects(result(handle));
    assert.deepEqual((await childRows(id)).map(({ subject }) => subject).sort(), [
      `client:${id}-n0`,
      `client:${id}-n1`,
    ]);
  });

  it('asks by its record about a child whose words were lost', async () => {
    const { db } = system.database;
    const { id, handle } = await start({ mute: [{ key: 'slow', takesMs: 8_000 }] }, { rules: { canary: 0 } });
    const child = await pollUntil({
      what: 'the child runs',
      deadlineMs: 30_000,
      probe: async () => (await childRows(id))[0],
    });
    const error = { kind: 'CommandFailed' as const, message: 'refused' };
    const hold = { number: 1, step: 'slow', until: null, actions: [], error };
    const view = await pollUntil({
      what: 'the parent knows',
      deadlineMs: 60_000,
      everyMs: 100,
      probe: async () => {
        // its own records say otherwise, and may come later
        await db.update(operations).set({ state: 'holding', hold }).where(eq(operations.id, child.id));
        const now = await handle.query<OperationView, []>('view');
        return now.state === 'holding' ? now : undefined;
      },
    });
    assert.equal(view.steps[0]?.summary, '0 of 1 done, 1 waiting for a person');
    assert.equal((await result(handle)).done, 1);
  });

  it('does not take for dead who began and ended between two looks', async () => {
    const { db } = system.database;
    const child = { subject: `client:${ulid()}`, operation: ulid() };
    const row = {
      ...child,
      id: child.operation,
      kind: 'scripted',
      title: 'Scripted',
      actor: 'tester',
      input: {},
    };
    const begins = createFanOutRecords({
      db,
      describe: async () => {
        await db.insert(operations).values({ ...row, state: 'succeeded', endedAt: new Date() });
        return null;
      },
    });
    assert.deepEqual(
      (await begins.lookAtChildren({ children: [child] })).map(({ state }) => state),
      ['succeeded'],
    );
    const never = createFanOutRecords({ db, describe: async () => null });
    const [gone] = await never.lookAtChildren({ children: [{ ...child, operation: ulid() }] });
    assert.equal(gone?.state, 'terminated');
  });

  /** Two fan-outs of three under one, in each of which the second client fails at first. */
  async function startNested(clients: (index: number) => ScriptedStep[]) {
    const id = ulid();
    const generous = { window: 3, canary: 0, stopAfterFailures: 100 };
    const servers = ['a', 'b'].map((server) => {
      const subject = `server:${id}-${server}`;
      const children = [0, 1, 2].map((index) => {
        const child = `client:${id}-${server}${index}`;
        return { subject: child, params: { subject: child, steps: clients(index) } };
      });
      return { subject, params: { subject, children, rules: generous } };
    });
    const subject = `fleet:${id}`;
    const params = { subject, children: servers, rules: generous, of: 'fannedOut' };
    const handle = await system.client.workflow.start('fannedOut', {
      workflowId: subject,
      taskQueue: system.taskQueue,
      args: [{ operation: { id, actor: 'tester', requestId: null }, params }],
    });
    const grandchildren = async () => {
      const parents = await childRows(id);
      return (await Promise.all(parents.map((parent) => childRows(parent.id)))).flat();
    };
    return { id, handle, grandchildren };
  }

  it('of fan-outs: one retry reaches those held below, all in the name of the root', async () => {
    const { id, handle, grandchildren } = await startNested((index) =>
      index === 1 ? [{ key: 'fails-first' }] : step('one'),
    );
    const view = await until(handle, 'the root holds', ({ state }) => state === 'holding');
    assert.equal(view.steps[0]?.summary, '0 of 2 done, 2 waiting for a person');
    await handle.signal('retry', { actor: 'operator', note: 'mended' });
    assert.equal((await result(handle)).done, 2);
    const rows = await grandchildren();
    assert.equal(rows.length, 6, 'each ran once');
    assert.ok(rows.every(({ state }) => state === 'succeeded'));
    assert.deepEqual(
      rows.map(({ input }) => (input as { operation: OperationRequest }).operation.root),
      rows.map(() => id),
    );
    assert.deepEqual(
      rows.flatMap(({ decisions }) => decisions.map(({ actor, note }) => `${actor}: ${note}`)),
      ['operator: mended', 'operator: mended'],
    );
  });

  it('of fan-outs: what a person mends below lets all above go on by themselves', async () => {
    const { handle, grandchildren } = await startNested((index) =>
      index === 1 ? [{ key: 'fails-first' }] : step('one'),
    );
    await until(handle, 'the root holds', ({ state }) => state === 'holding');
    for (const { subject, state } of await grandchildren()) {
      if (state === 'holding') await system.client.workflow.getHandle(subject).signal('retry', {});
    }
    assert.equal((await result(handle)).done, 2);
    const view = await handle.query<OperationView, []>('view');
    assert.deepEqual([view.state, view.decisions, view.hold], ['succeeded', [], null]);
  });

  it('of fan-outs: a cancel reaches those that run below', async () => {
    const { handle, grandchildren } = await startNested((index) =>
      step(index === 0 ? 'one' : 'until-cancelled'),
    );
    await pollUntil({
      what: 'clients of both servers run, and some are done',
      deadlineMs: 30_000,
      probe: async () => {
        const states = (await grandchildren()).map(({ state }) => state).sort();
        return states.join() === 'running,running,running,running,succeeded,succeeded' || undefined;
      },
    });
    await handle.cancel();
    await assert.rejects(result(handle));
    const states = (await grandchildren()).map(({ state }) => state).sort();
    assert.deepEqual(states, [...Array.from({ length: 4 }, () => 'cancelled'), 'succeeded', 'succeeded']);
  });
});
