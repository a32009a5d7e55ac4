import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { and, eq, sql } from 'drizzle-orm';
import * as fc from 'fast-check';
import { ulid } from 'ulid';
import {
  appendLines,
  type LockedOperation,
  lockOperation,
} from '../../../activities/operation/operation-log.js';
import type { Tx } from '../../../db/database.js';
import { createOperationRecords } from '../../../activities/operation/operation-records.js';
import { createStepRecords, type StepRecords } from '../../../activities/operation/step-records.js';
import type { Db } from '../../../db/database.js';
import { operationEvents, operations, operationSteps, operationUndos } from '../../../db/schema/index.js';
import { pollUntil } from '../../../process/poll.js';
import { DEFAULT_LIMITS } from '../../../worker/limits.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';
import { END_STATES, type StepError } from '../../../workflows/contract/operation/operation.js';
import type {
  LogLine,
  OperationRecord,
  OperationRecords,
} from '../../../workflows/contract/operation/records.js';
import type { StepRef } from '../../../workflows/contract/operation/step.js';
import { testPostgres, type TestPostgres } from '../../support/postgres.js';

const ERROR: StepError = { kind: 'CommandFailed', message: 'no' };

async function appendTo(tx: Tx, id: string, lines: Parameters<typeof appendLines>[2]): Promise<void> {
  await appendLines(tx, (await lockOperation(tx, id)) as LockedOperation, lines);
}

describe('the projection of operations', { concurrency: 4 }, () => {
  let postgres: TestPostgres;
  let db: Db;
  let records: OperationRecords;
  let steps: StepRecords;
  before(async () => {
    postgres = await testPostgres();
    ({ db } = postgres.database);
    records = createOperationRecords({ db, limits: DEFAULT_LIMITS, edits: {} });
    steps = createStepRecords(db);
  });
  after(() => postgres?.close());

  async function claimed(overrides: { id?: string; subject?: string; runId?: string; kind?: string } = {}) {
    const id = overrides.id ?? ulid();
    const subject = overrides.subject ?? `client:${id}`;
    const result = await records.claimOperation({
      request: { id, actor: 'tester', requestId: null },
      kind: overrides.kind ?? 'scripted',
      subject,
      title: 'Scripted',
      runId: overrides.runId ?? 'run-1',
      params: {},
      places: [],
    });
    return { id, subject, result };
  }

  const row = async (id: string) => (await db.select().from(operations).where(eq(operations.id, id)))[0];
  const lines = async (id: string) => {
    const found = await db.select().from(operationEvents).where(eq(operationEvents.operationId, id));
    return found.sort((a, b) => a.seq - b.seq);
  };
  const stepOf = async (id: string, key = 'one') =>
    (
      await db
        .select()
        .from(operationSteps)
        .where(and(eq(operationSteps.operationId, id), eq(operationSteps.key, key)))
    )[0];
  const undoOf = async (id: string) =>
    (await db.select().from(operationUndos).where(eq(operationUndos.operationId, id)))[0];

  const undoStates = async (id: string) => {
    const found = await db.select().from(operationUndos).where(eq(operationUndos.operationId, id));
    return Object.fromEntries(found.map((undo) => [undo.id, undo.state]));
  };

  function refOf(operation: string, change: Partial<StepRef> = {}): StepRef {
    return {
      operation,
      subject: `client:${operation}`,
      step: 'one',
      title: 'One',
      phase: 'do',
      seq: 1,
      try: 1,
      ...change,
    };
  }

  const UNDO = { id: 'one#1', title: 'One', activity: 'test.unmake', input: { key: 'one' } };

  let recordNumber = 0;
  function recordOf(operation: string, change: Partial<OperationRecord> = {}): OperationRecord {
    recordNumber += 1;
    return {
      number: recordNumber,
      operation,
      state: 'running',
      hold: null,
      failedStep: null,
      warnings: [],
      leftovers: [],
      decisions: [],
      steps: [],
      result: null,
      error: null,
      lines: [],
      ...change,
    };
  }

  const line = (key: string): LogLine => ({ key, type: 'test', step: null, message: key, level: 'info' });

  it('only moves a step upwards: whatever the order of writes, the newest attempt is what remains', async () => {
    const attempt = fc.record({
      seq: fc.integer({ min: 1, max: 4 }),
      attempt: fc.integer({ min: 1, max: 3 }),
      what: fc.constantFrom('begin', 'succeed', 'fail', 'retry'),
    });
    const states = { begin: 'running', succeed: 'done', fail: 'failed', retry: 'retrying' } as const;
    await fc.assert(
      fc.asyncProperty(fc.array(attempt, { minLength: 1, maxLength: 8 }), async (writes) => {
        const { id } = await claimed();
        let newest = writes[0] as (typeof writes)[number];
        for (const write of writes) {
          const made = { ref: refOf(id, { seq: write.seq }), attempt: write.attempt };
          if (write.what === 'begin') await steps.begin(made);
          if (write.what === 'succeed') await steps.succeed(made, null);
          if (write.what === 'fail') await steps.fail(made, ERROR, null);
          if (write.what === 'retry') await steps.fail(made, ERROR, 60_000);
          const rank = (w: typeof write) => w.seq * 100 + w.attempt;
          if (rank(write) >= rank(newest)) newest = write;
        }
        const step = await stepOf(id);
        assert.deepEqual(
          [step?.seq, step?.attempt, step?.state],
          [newest.seq, newest.attempt, states[newest.what]],
        );
      }),
      { numRuns: 40 },
    );
  });

  it('counts automatic retries by time from the first failure of a call, afresh for the next call', async () => {
    const { id } = await claimed();
    const first = { ref: refOf(id), attempt: 1 };
    await steps.begin(first);
    assert.equal(await steps.fail(first, ERROR, 60_000), true);
    await db
      .update(operationSteps)
      .set({ failingSince: new Date(Date.now() - 120_000) })
      .where(eq(operationSteps.operationId, id));
    assert.equal(await steps.fail({ ref: refOf(id), attempt: 2 }, ERROR, 60_000), false);
    const next = { ref: refOf(id, { seq: 2, try: 2 }), attempt: 1 };
    await steps.begin(next);
    assert.equal(await steps.fail(next, ERROR, 60_000), true);
  });

  it('numbers lines without gap or double under 20 parallel appends', async () => {
    const { id } = await claimed();
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        db.transaction((tx) => appendTo(tx, id, [line(`a${index}`), line(`b${index}`), line('same')])),
      ),
    );
    const found = await lines(id);
    assert.deepEqual(
      found.map(({ seq }) => seq),
      Array.from({ length: 42 }, (_, index) => index + 1),
    );
    assert.equal(new Set(found.map(({ key }) => key)).size, 42);
    assert.equal((await row(id))?.lastEvent, 42);
  });

  it('numbers the lines of parallel attempts and records without gap or double', async () => {
    const { id } = await claimed();
    await Promise.all(
      Array.from({ length: 12 }, async (_, index) => {
        const made = { ref: refOf(id, { seq: 1 + (index % 6), step: `step-${index % 6}` }), attempt: 1 };
        await steps.begin(made);
        await records.recordOperation(recordOf(id, { lines: [line(`a${index % 6}`), line(`b${index}`)] }));
        if (index % 2 === 0) await steps.succeed(made, null);
        else await steps.fail(made, ERROR, null);
      }),
    );
    const found = await lines(id);
    assert.deepEqual(
      found.map(({ seq }) => seq),
      found.map((_, index) => index + 1),
    );
    assert.equal(new Set(found.map(({ key }) => key)).size, found.length);
    assert.equal((await row(id))?.lastEvent, found.length);
    const count = (what: string) => found.filter(({ key }) => key.endsWith(`:${what}`)).length;
    assert.deepEqual([count('start'), count('end'), count('fail:1')], [6, 3, 3]);
  });

  it('lets no act begin that waited while its operation began to roll back', async () => {
    const { id } = await claimed();
    let begun: Promise<unknown> | undefined;
    await db.transaction(async (tx) => {
      await tx.update(operations).set({ state: 'rolling_back' }).where(eq(operations.id, id));
      begun = steps.begin({ ref: refOf(id, { undo: UNDO }), attempt: 1 }).then(
        () => 'begun',
        (error: unknown) => kindOf(error),
      );
      await pollUntil({
        what: 'it waits for the row',
        deadlineMs: 10_000,
        probe: async () =>
          (
            await db.execute(sql`
              select from pg_stat_activity
              where datname = current_database() and wait_event_type = 'Lock' and query like '%operation_undos%' and query not like '%pg_stat%'`)
          ).length > 0 || undefined,
      });
    });
    assert.equal(await begun, 'OperationClosed');
    assert.deepEqual([await undoOf(id), await stepOf(id)], [undefined, undefined]);
    assert.equal((await lines(id)).length, 1);
  });

  it('writes a repeated line once and never changes it', async () => {
    const { id } = await claimed();
    const append = (message: string) => db.transaction((tx) => appendTo(tx, id, [{ ...line('x'), message }]));
    await append('first');
    await append('second');
    assert.deepEqual(
      (await lines(id)).map(({ message }) => message),
      ['Scripted', 'first'],
    );
  });

  it('takes no record that is older than the one it has', async () => {
    const { id } = await claimed();
    await records.recordOperation(recordOf(id, { number: 1_000_000, state: 'holding' }));
    await records.recordOperation(recordOf(id, { number: 999_999, state: 'running' }));
    assert.equal((await row(id))?.state, 'holding');
  });

  it('writes a record although something in it is no text for Postgres', async () => {
    const { id } = await claimed();
    const ignored = 'not changeable here: a\u0000b, c\ud83d';
    const decision = {
      action: 'retry' as const,
      time: new Date().toISOString(),
      actor: 'x',
      accepted: false,
      ignored,
    };
    const decided = { ...line('decided'), message: `x ignored (${ignored}) retry` };
    const said = { decisions: [decision], result: ['a\u0000b'], lines: [decided] };
    await records.recordOperation(recordOf(id, { state: 'succeeded', ...said }));
    const written = await row(id);
    assert.equal(written?.state, 'succeeded');
    assert.deepEqual(written.result, ['a\ufffdb']);
    assert.equal(written.decisions[0]?.ignored, 'not changeable here: a\ufffdb, c\ufffd');
  });

  for (const state of END_STATES) {
    it(`changes nothing after the end: ${state}`, async () => {
      const { id } = await claimed();
      const started = { ref: refOf(id, { undo: UNDO }), attempt: 1 };
      await steps.begin(started);
      await records.recordOperation(recordOf(id, { state, lines: [line('end')] }));
      const before = [await row(id), await lines(id), await stepOf(id), await undoOf(id)];
      await records.recordOperation(recordOf(id, { state: 'running', lines: [line('late')] }));
      await records.recordOperation(recordOf(id, { state: 'rolled_back', lines: [line('later')] }));
      await assert.rejects(
        steps.begin({ ref: refOf(id, { seq: 2 }), attempt: 1 }),
        (error) => kindOf(error) === 'OperationClosed',
      );
      // an attempt that was running when the operation ended comes back
      await steps.succeed(started, 'late').catch(() => undefined);
      await steps.fail(started, ERROR, 60_000).catch(() => undefined);
      assert.deepEqual([await row(id), await lines(id), await stepOf(id), await undoOf(id)], before);
    });
  }

  it('keeps the undo ledger: registered before the act, undone or failed by its undo, kept on success', async () => {
    const { id } = await claimed();
    const act = { ref: refOf(id, { undo: UNDO }), attempt: 1 };
    await steps.begin(act);
    await steps.succeed(act, null);
    const { operationId: _id, registeredAt: _at, ...registered } = (await undoOf(id)) ?? {};
    assert.deepEqual(registered, {
      ...UNDO,
      seq: 1,
      step: 'one',
      state: 'registered',
      error: null,
      finishedAt: null,
    });
    const undo = { ref: refOf(id, { phase: 'undo', seq: 2, undo: UNDO }), attempt: 1 };
    await steps.begin(undo);
    await steps.fail(undo, ERROR, 60_000);
    assert.equal((await undoOf(id))?.state, 'registered');
    await steps.fail(undo, ERROR, null);
    assert.deepEqual([(await undoOf(id))?.state, (await undoOf(id))?.error], ['failed', 'no']);
    assert.equal((await stepOf(id))?.state, 'undo_failed');
    await steps.succeed({ ...undo, attempt: 2 }, null);
    assert.equal((await undoOf(id))?.state, 'undone');
    assert.equal((await stepOf(id))?.state, 'undone');
  });

  it('keeps registered undos once a step behind the commit begins, and at a good end', async () => {
    const committed = await claimed();
    await steps.begin({ ref: refOf(committed.id, { undo: UNDO }), attempt: 1 });
    await steps.begin({ ref: refOf(committed.id, { seq: 2, step: 'two', committed: true }), attempt: 1 });
    assert.equal((await undoOf(committed.id))?.state, 'kept');
    const forward = refOf(committed.id, {
      seq: 3,
      step: 'three',
      committed: true,
      undo: { ...UNDO, id: 'three#3' },
    });
    await steps.begin({ ref: forward, attempt: 1 });
    await steps.begin({ ref: forward, attempt: 2 });
    assert.deepEqual(await undoStates(committed.id), { 'one#1': 'kept', 'three#3': 'registered' });
    const ended = await claimed();
    await steps.begin({ ref: refOf(ended.id, { undo: UNDO }), attempt: 1 });
    await records.recordOperation(recordOf(ended.id, { state: 'succeeded' }));
    assert.equal((await undoOf(ended.id))?.state, 'kept');
  });

  it('does not let a late attempt of an undo take back what a newer one achieved', async () => {
    const { id } = await claimed();
    await steps.begin({ ref: refOf(id, { undo: UNDO }), attempt: 1 });
    const ref = refOf(id, { phase: 'undo', seq: 2, undo: UNDO });
    await steps.begin({ ref, attempt: 1 });
    await steps.begin({ ref, attempt: 2 });
    await steps.succeed({ ref, attempt: 2 }, null);
    await steps.fail({ ref, attempt: 1 }, ERROR, null);
    assert.equal((await undoOf(id))?.state, 'undone');
  });

  it('lets no undo of kept work begin', async () => {
    const { id } = await claimed();
    await steps.begin({ ref: refOf(id, { undo: UNDO }), attempt: 1 });
    await records.recordOperation(recordOf(id, { state: 'succeeded' }));
    await assert.rejects(
      steps.begin({ ref: refOf(id, { phase: 'undo', seq: 2, undo: UNDO }), attempt: 1 }),
      (error) => kindOf(error) === 'OperationClosed',
    );
  });

  it('refuses a second claimant and leaves the first untouched; the first may repeat its claim', async () => {
    const { id, subject } = await claimed();
    const before = [await row(id), await lines(id)];
    await assert.rejects(claimed({ id, subject, runId: 'run-2' }), (error) => kindOf(error) === 'Conflict');
    await assert.rejects(claimed({ id, subject: 'client:0' }), (error) => kindOf(error) === 'Conflict');
    assert.deepEqual([await row(id), await lines(id)], before);
    const { result } = await claimed({ id, subject });
    assert.ok('limits' in result);
    assert.equal((await lines(id)).length, 1);
  });

  it('takes nothing back by a late attempt of the claim', async () => {
    const { id, subject } = await claimed();
    await records.recordOperation(recordOf(id, { state: 'holding' }));
    await claimed({ id, subject });
    assert.equal((await row(id))?.state, 'holding');
  });

  it('refuses a subject with open undos, except for what cleans it up', async () => {
    const subject = `client:${ulid()}`;
    const first = await claimed({ subject });
    await steps.begin({ ref: refOf(first.id, { undo: UNDO }), attempt: 1 });
    await records.recordOperation(recordOf(first.id, { state: 'rollback_incomplete' }));
    const second = await claimed({ subject });
    assert.ok('refused' in second.result);
    assert.deepEqual(
      [(await row(second.id))?.state, (await row(second.id))?.error?.kind],
      ['rolled_back', 'Conflict'],
    );
    assert.ok('limits' in (await claimed({ subject, kind: 'delete_client' })).result);
  });

  it('repeats a refusal whose answer was lost', async () => {
    const subject = `client:${ulid()}`;
    const first = await claimed({ subject });
    await steps.begin({ ref: refOf(first.id, { undo: UNDO }), attempt: 1 });
    await records.recordOperation(recordOf(first.id, { state: 'rollback_incomplete' }));
    const second = await claimed({ subject });
    assert.deepEqual((await claimed({ id: second.id, subject })).result, second.result);
  });
});
