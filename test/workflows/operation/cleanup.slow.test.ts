import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { ulid } from 'ulid';
import { createNightlyActivities } from '../../../activities/operation/sweep-nightly.js';
import { idempotencyKeys, notices, operations, operationSteps } from '../../../db/schema/index.js';
import { createSecrets, parseSecretKeys } from '../../../db/secrets.js';
import { NIGHTLY_ACTOR } from '../../../workflows/contract/operation/cleanup.js';
import {
  failing,
  openScriptedSystem,
  type ScriptedRun,
  type ScriptedSystem,
} from '../../support/scripted-world.js';
import { sweep } from '../../support/sweep.js';

describe('a clean-up', () => {
  let system: ScriptedSystem;
  before(async () => {
    system = await openScriptedSystem();
  });
  after(() => system?.close());

  /** Runs one under the subject; answers its row as it ended. */
  async function cleanUp({ subject }: ScriptedRun, faults: Parameters<ScriptedSystem['addFaults']>[1] = {}) {
    const { client, taskQueue, database } = system;
    const id = ulid();
    system.addFaults(id, faults);
    const operation = { id, actor: 'tester', requestId: null, onFailure: 'rollback' as const };
    const args = [{ operation, params: { subject } }];
    await client.workflow.execute('cleanup', { workflowId: subject, taskQueue, args }).catch(() => undefined);
    const [row] = await database.db.select().from(operations).where(eq(operations.id, id));
    const steps = await database.db.select().from(operationSteps).where(eq(operationSteps.operationId, id));
    assert.ok(row);
    return { row, steps: steps.map(({ key, state }) => `${key} ${state}`).sort() };
  }

  async function startIncomplete(): Promise<ScriptedRun> {
    const run = await system.start([{ key: 'a' }, { key: 'b' }, { key: 'c', undo: false }], {
      faults: {
        'do:c': failing('InvalidInput'),
        'undo:a': failing('Unauthorized', 1),
        'undo:b': failing('Unauthorized', 1),
      },
    });
    const row = await run.ended();
    assert.equal(row.state, 'rollback_incomplete');
    assert.deepEqual(
      row.leftovers.map(({ step }) => step),
      ['b', 'a'],
    );
    return run;
  }

  it('finishes what an undo left, newest first, also while its first try fails', async () => {
    const run = await startIncomplete();
    const before = system.world.log.length;
    const { row, steps } = await cleanUp(run, { 'undo:a': failing('Unavailable', 1) });
    assert.equal(row.state, 'succeeded');
    assert.deepEqual(row.result, { undone: 2 });
    assert.deepEqual(steps, ['a undone', 'b undone', 'list done', 'look-again done']);
    assert.deepEqual(
      system.world.log.slice(before).filter((line) => line.includes(row.id)),
      ['b', 'a'].map((key) => `unmake ${row.id} ${key}`),
    );
    const undos = await run.undos();
    assert.deepEqual(
      undos.map(({ state }) => state),
      ['undone', 'undone'],
    );
    const cleaned = await run.row();
    assert.deepEqual(cleaned?.leftovers, []);
    assert.equal(cleaned?.state, 'rollback_incomplete');
  });

  it('leaves over again what still fails, and another one finishes it', async () => {
    const run = await startIncomplete();
    const { row } = await cleanUp(run, { 'undo:b': failing('Unauthorized') });
    assert.equal(row.state, 'rollback_incomplete');
    assert.match(row.error?.message ?? '', /^1 of 2 could not be undone$/);
    assert.deepEqual(
      row.leftovers.map(({ step }) => step),
      ['b'],
    );
    assert.deepEqual(
      (await run.row())?.leftovers.map(({ step }) => step),
      ['b'],
    );
    assert.deepEqual((await run.undos()).map(({ step, state }) => `${step} ${state}`).sort(), [
      'a undone',
      'b failed',
    ]);
    assert.equal((await cleanUp(run)).row.state, 'succeeded');
    assert.deepEqual((await run.row())?.leftovers, []);
  });

  it('lets nothing else onto the subject until it has run', async () => {
    const { client, taskQueue } = system;
    const run = await system.start([{ key: 'a' }, { key: 'b' }], {
      faults: { 'do:b': failing('CommandFailed') },
    });
    await run.until('hold', ({ hold }) => hold !== null);
    await run.handle.terminate('by mistake');
    await sweep(client, taskQueue);
    const refused = await system.start([{ key: 'a' }], { subject: run.subject });
    assert.equal((await refused.ended()).error?.kind, 'Conflict');
    assert.equal((await cleanUp(run)).row.state, 'succeeded');
    const after = await system.start([{ key: 'a' }], { subject: run.subject });
    assert.equal((await after.ended()).state, 'succeeded');
  });

  it('is tried again by the nightly sweep, under the subject; one that something runs on is busy', async () => {
    const { client, taskQueue, database } = system;
    const { db } = database;
    const left = await startIncomplete();
    const occupied = await startIncomplete();
    const holder = await client.workflow.start('cleanup', {
      ...{ workflowId: occupied.subject, taskQueue: `nobody-${taskQueue}` },
      args: [{ params: { subject: occupied.subject } }],
    });
    const place = { owner: 'clients/1', name: 'admin_password' };
    const secrets = createSecrets(parseSecretKeys('test key of sufficient length'));
    const expired = await secrets.store(db, place, 'expired value', new Date(Date.now() - 1_000));
    const valid = await secrets.store(db, place, 'valid value', new Date(Date.now() + 60_000));
    const key = { route: 'POST /x', actor: 'a', bodyDigest: 'd', operationId: 'o', subjectId: '1' };
    await db.insert(idempotencyKeys).values([
      { ...key, key: 'old', createdAt: new Date(Date.now() - 4 * 86_400_000) },
      { ...key, key: 'new' },
    ]);
    const night = await client.workflow.execute('sweepNightly', {
      workflowId: `night-${left.id}`,
      taskQueue,
    });
    assert.deepEqual(night, {
      ...{ started: 1, busy: 1, removed: { secrets: 1, keys: 1 } },
      sources: { removed: 0, failed: 0, busy: 0 },
      certificates: { issued: 0, failed: 0, busy: 0 },
      servers: { tidied: 0, failed: 0 },
      backups: { removed: 0, failed: 0 },
    });
    await client.workflow.getHandle(left.subject).result();
    assert.deepEqual((await left.row())?.leftovers, []);
    assert.equal(await secrets.reveal(db, expired), undefined);
    assert.equal(await secrets.reveal(db, valid), 'valid value');
    const keys = await db.select().from(idempotencyKeys);
    assert.deepEqual(
      keys.map((row) => row.key),
      ['new'],
    );
    await holder.terminate('end of the test');
  });

  it('of the night takes the subject first that has waited longest, and repeats no notice', async () => {
    const { client, taskQueue, database } = system;
    const { db } = database;
    const first = await startIncomplete();
    const second = await startIncomplete();
    const subjects = [`client:z${first.id}`, `client:a${second.id}`];
    for (const [index, { id }] of [first, second].entries())
      await db
        .update(operations)
        .set({ subject: subjects[index] ?? '' })
        .where(eq(operations.id, id));
    const listed = await createNightlyActivities(db).listRestricted({ limit: 500 });
    const ours = listed.map(({ subject }) => subject).filter((subject) => subjects.includes(subject));
    assert.deepEqual(ours, subjects);
    for (const [actor, told] of [
      [NIGHTLY_ACTOR, 0],
      ['tester', 1],
    ] as const) {
      const id = ulid();
      system.addFaults(id, { 'undo:a': failing('Unauthorized') });
      const operation = { id, actor, requestId: null, onFailure: 'rollback' as const };
      const workflowId = subjects[0] ?? '';
      const args = [{ operation, params: { subject: workflowId } }];
      await client.workflow.execute('cleanup', { workflowId, taskQueue, args }).catch(() => undefined);
      const [row] = await db.select().from(operations).where(eq(operations.id, id));
      assert.equal(row?.state, 'rollback_incomplete');
      const sent = await db.select().from(notices).where(eq(notices.operationId, id));
      assert.equal(sent.length, told, actor);
    }
    for (const run of [first, second])
      await cleanUp({ ...run, subject: subjects[run === first ? 0 : 1] ?? '' });
  });

  it('goes on when what still runs of an operation cannot be ended, and says so', async () => {
    const run = await startIncomplete();
    await system.database.db
      .update(operations)
      .set({ places: ['server:1'] })
      .where(eq(operations.id, run.id));
    const { row, steps } = await cleanUp(run, { 'do:end-jobs': failing('CommandFailed') });
    assert.equal(row.state, 'succeeded_with_warnings');
    assert.deepEqual(
      row.warnings.map(({ step }) => step),
      ['end-jobs'],
    );
    assert.deepEqual(steps, ['a undone', 'b undone', 'end-jobs failed', 'list done', 'look-again done']);
  });

  it('undoes what several operations of the subject left, each in its own ledger', async () => {
    const { database } = system;
    const first = await startIncomplete();
    const second = await startIncomplete();
    // as when a delete, which a restricted subject takes, leaves something too
    await database.db.update(operations).set({ subject: first.subject }).where(eq(operations.id, second.id));
    const { row, steps } = await cleanUp(first);
    assert.equal(row.state, 'succeeded');
    assert.deepEqual(steps, [
      'a undone',
      'a-2 undone',
      'b undone',
      'b-2 undone',
      'list done',
      'look-again done',
    ]);
    for (const run of [first, second]) {
      assert.deepEqual(
        (await run.undos()).map(({ state }) => state),
        ['undone', 'undone'],
      );
    }
  });
});
