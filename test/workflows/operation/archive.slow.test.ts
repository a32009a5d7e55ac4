import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { failing, openScriptedSystem, type ScriptedSystem } from '../../support/scripted-world.js';
import { archiveOf, sweep, timelineFromHistory } from '../../support/sweep.js';

describe('the archive of ended operations', () => {
  let system: ScriptedSystem;
  before(async () => {
    system = await openScriptedSystem();
  });
  after(() => system?.close());

  it('equals the history item by item', async () => {
    const { database, client, taskQueue } = system;
    const good = await system.start([{ key: 'a' }, { key: 'b' }], {
      faults: { 'do:b': failing('Unavailable', 1) },
    });
    const held = await system.start([{ key: 'a' }, { key: 'b' }], {
      faults: { 'do:b': failing('CommandFailed'), 'undo:a': failing('Unavailable', 1) },
    });
    await held.until('hold', ({ hold }) => hold !== null);
    await held.handle.signal('retry', { actor: 'ann', note: 'mended' });
    await held.until('second hold', ({ hold }) => hold?.number === 2);
    await held.handle.signal('rollback', { actor: 'ann' });
    await Promise.all([good.ended(), held.ended()]);
    await sweep(client, taskQueue);
    for (const run of [good, held]) {
      const row = await run.row();
      assert.ok(row?.archivedAt);
      const archived = await archiveOf(database.db, run.id);
      assert.deepEqual(archived, await timelineFromHistory(client, run.subject, row.runId ?? ''));
    }
    assert.deepEqual(
      (await archiveOf(database.db, held.id)).map(({ type, step }) =>
        step === null ? type : `${type} ${step}`,
      ),
      [
        ...['started', 'step_started a', 'step_done a', 'step_started b', 'step_failed b', 'held b'],
        ...['decided b', 'hold_ended b', 'step_started b', 'step_failed b', 'held b', 'decided b'],
        ...[
          'hold_ended b',
          'rolling_back',
          'undo_started b',
          'undone b',
          'undo_started a',
          'step_retried a',
          'undone a',
          'ended',
        ],
      ],
    );
    const last = (await archiveOf(database.db, held.id)).at(-1);
    assert.deepEqual(last?.data, { status: 'failed', state: 'rolled_back' });
    const retried = (await archiveOf(database.db, good.id)).find(({ type }) => type === 'step_retried');
    assert.equal(retried?.message, 'b: attempt 2 after: injected Unavailable');
  });

  it('is written once, and not before Temporal has closed the operation', async () => {
    const { database, client, taskQueue } = system;
    const run = await system.start([{ key: 'a' }], { faults: { 'do:a': failing('CommandFailed') } });
    await run.until('hold', ({ hold }) => hold !== null);
    await sweep(client, taskQueue);
    assert.equal((await run.row())?.archivedAt, null);
    assert.deepEqual(await archiveOf(database.db, run.id), []);
    await run.handle.signal('rollback', {});
    await run.ended();
    await sweep(client, taskQueue);
    const { archivedAt } = (await run.row()) ?? {};
    assert.ok(archivedAt);
    await sweep(client, taskQueue);
    assert.deepEqual((await run.row())?.archivedAt, archivedAt);
  });
});
