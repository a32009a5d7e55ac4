import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pollUntil } from '../../../process/poll.js';
import { startTemporal, type TemporalServer } from '../../../start/services/temporal.js';
import { SEARCH_ATTRIBUTES } from '../../../workflows/contract/search-attributes.js';
import {
  failing,
  openScriptedSystem,
  type ScriptedRun,
  type ScriptedSystem,
} from '../../support/scripted-world.js';
import { archiveOf, sweep, timelineFromHistory } from '../../support/sweep.js';

/** One that waits for a person, with one thing made. */
async function startHeld(system: ScriptedSystem): Promise<ScriptedRun> {
  const run = await system.start([{ key: 'a' }, { key: 'b' }], {
    faults: { 'do:b': failing('CommandFailed') },
  });
  await run.until('hold', ({ hold }) => hold !== null);
  return run;
}

async function assertTerminated(run: ScriptedRun, cause: RegExp): Promise<void> {
  const row = await run.row();
  assert.equal(row?.state, 'terminated');
  assert.equal(row.hold, null);
  assert.ok(row.endedAt);
  assert.match(row.error?.message ?? '', cause);
  assert.deepEqual(
    row.leftovers.map(({ step, remedy }) => [step, remedy]),
    ['b', 'a'].map((step) => [step, `POST /operations/${run.id}/cleanup runs it again`]),
  );
  const undos = await run.undos();
  assert.deepEqual(
    undos.map(({ state }) => state),
    ['registered', 'registered'],
  );
  const steps = await run.steps();
  assert.deepEqual(steps.map(({ key, state }) => `${key} ${state}`).sort(), ['a done', 'b failed']);
  const lines = await run.lines();
  assert.equal(lines.filter((line) => line.startsWith('Scripted: terminated')).length, 1);
  assert.match(lines.at(-1) ?? '', /^Scripted: terminated: /);
}

describe('an operation that was terminated', () => {
  let system: ScriptedSystem;
  before(async () => {
    system = await openScriptedSystem();
  });
  after(() => system?.close());

  it('ends as `terminated` by the sweep; nothing was undone, and its undos restrict the subject', async () => {
    const { client, taskQueue, database } = system;
    const run = await startHeld(system);
    await run.handle.terminate('by mistake');
    await sweep(client, taskQueue);
    await assertTerminated(run, /terminated \(by mistake\)/);
    assert.deepEqual(run.things(), ['a']);
    const row = await run.row();
    const archived = await archiveOf(database.db, run.id);
    assert.deepEqual(archived, await timelineFromHistory(client, run.subject, row?.runId ?? ''));
    assert.deepEqual(archived.at(-1)?.data, { status: 'terminated', state: 'terminated' });

    const next = await system.start([{ key: 'a' }], { subject: run.subject });
    const refused = await next.ended();
    assert.equal(refused.state, 'rolled_back');
    assert.equal(refused.error?.kind, 'Conflict');
    assert.deepEqual(next.things(), []);
  });

  it('is found by its exact run when another one has its subject by now', async () => {
    const { client, taskQueue } = system;
    const run = await startHeld(system);
    await run.handle.terminate('by mistake');
    const next = await system.start([{ key: 'a' }], { subject: run.subject });
    await next.ended();
    await sweep(client, taskQueue);
    await assertTerminated(run, /by mistake/);
  });

  it('refuses the work of a run that a reset brings back', async () => {
    const { client, world } = system;
    for (const fault of ['none', 'InvalidInput'] as const) {
      const faults = fault === 'none' ? {} : { 'do:b': failing(fault) };
      const run = await system.start([{ key: 'a' }, { key: 'b' }], { faults });
      const ended = await run.ended();
      const before = {
        ...ended,
        lines: await run.lines(),
        undos: await run.undos(),
        steps: await run.steps(),
      };
      // undos are excepted: what is undone may be undone again
      const made = () => world.log.filter((line) => line.startsWith(`make ${run.id}`)).length;
      const madeBefore = made();
      // behind the claim, before the first step
      const { events = [] } = await run.handle.fetchHistory();
      const first = events?.find((event) => event.activityTaskScheduledEventAttributes?.activityId === 'a/1');
      await client.workflowService.resetWorkflowExecution({
        namespace: 'default',
        workflowExecution: { workflowId: run.subject, runId: (await run.handle.describe()).runId },
        workflowTaskFinishEventId:
          first?.activityTaskScheduledEventAttributes?.workflowTaskCompletedEventId ?? null,
        requestId: run.id,
        reason: 'a reset is not supported',
      });
      const error = await client.workflow
        .getHandle(run.subject)
        .result()
        .then(
          () => undefined,
          (thrown: Error) => thrown.cause as Error,
        );
      assert.match(String(error?.message), /no more work is done for it/);
      assert.equal(made(), madeBefore);
      const now = await run.row();
      assert.deepEqual(
        { ...now, lines: await run.lines(), undos: await run.undos(), steps: await run.steps() },
        before,
      );
    }
  });
});

describe("when Temporal's database is lost", () => {
  let dir: string;
  let temporal: TemporalServer;
  let system: ScriptedSystem;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'slipway-lost-'));
    const searchAttributes = Object.keys(SEARCH_ATTRIBUTES);
    temporal = await startTemporal({ dir, log: () => undefined, searchAttributes });
    system = await openScriptedSystem({}, { temporal: temporal.address });
  });
  after(async () => {
    await system?.close();
    await temporal?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it('ends all open rows as `terminated` by the sweep', async () => {
    const { client, taskQueue } = system;
    const runs = await Promise.all([startHeld(system), startHeld(system)]);
    await temporal.kill();
    for (const suffix of ['', '-wal', '-shm']) await rm(join(dir, `temporal.db${suffix}`), { force: true });
    await temporal.restart();
    await pollUntil({
      what: 'a sweep on the new database',
      deadlineMs: 30_000,
      everyMs: 250,
      probe: async () => {
        await sweep(client, taskQueue);
        return true;
      },
    });
    for (const run of runs) await assertTerminated(run, /does not have this operation any more/);
  });
});
