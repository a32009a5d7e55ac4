import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { failing, openScriptedSystem, type ScriptedSystem } from '../../support/scripted-world.js';

describe('a dangerous state', { concurrency: 8 }, () => {
  let system: ScriptedSystem;
  before(async () => {
    system = await openScriptedSystem({ holdWindowMs: 60_000 });
  });
  after(() => system?.close());

  const made = (id: string): string[] =>
    system.world.log
      .filter((line) => line.startsWith(`make ${id}`))
      .map((line) => line.split(' ')[2] as string);

  it('asks once when it cannot be left, and one rollback is enough', async () => {
    const run = await system.start([{ key: 'off', during: [{ key: 'copy' }] }], {
      faults: { 'do:off-left': failing('CommandFailed') },
    });
    await run.until('hold', ({ hold }) => hold?.number === 1);
    await run.handle.signal('rollback', {});
    const row = await run.ended();
    assert.equal(row.state, 'rolled_back');
    assert.deepEqual(run.things(), []);
    assert.equal((await run.lines()).filter((line) => line.startsWith('waiting for a person')).length, 1);
  });

  it('that is nested asks nobody while the outer one is entered', async () => {
    const inner = { key: 'inner', during: [{ key: 'copy' }] };
    const run = await system.start([{ key: 'outer', during: [inner] }], {
      faults: { 'do:inner-left': failing('CommandFailed', 1) },
    });
    await run.until('hold', ({ hold }) => hold !== null);
    assert.deepEqual(run.things(), []);
    await run.handle.signal('retry', {});
    assert.equal((await run.ended()).state, 'succeeded');
  });

  it('that was left gives its undo back: a later rollback leaves the subject free', async () => {
    const subject = 'client:left';
    const first = await system.start([{ key: 'off', during: [{ key: 'copy' }] }, { key: 'two' }], {
      subject,
      faults: { 'do:two': failing('Conflict') },
    });
    assert.equal((await first.ended()).state, 'rolled_back');
    const open = (await first.undos()).filter(({ state }) => state === 'registered' || state === 'failed');
    assert.deepEqual(open, []);
    const next = await system.start([{ key: 'one' }], { subject });
    assert.equal((await next.ended()).state, 'succeeded');
  });

  it('that could not be left at first, but was after a retry, is no leftover and restricts nothing', async () => {
    const subject = 'client:healed';
    let away = true;
    const first = await system.start([{ key: 'off', during: [{ key: 'copy' }] }], {
      subject,
      faults: {
        'do:copy': failing('CommandFailed', 1),
        'undo:off': (step) => (away ? failing('Unauthorized')(step) : undefined),
      },
    });
    await first.until('hold', ({ hold }) => hold !== null);
    away = false;
    await first.handle.signal('retry', {});
    const row = await first.ended();
    assert.match(row.state, /^succeeded/);
    assert.deepEqual(row.leftovers, []);
    const next = await system.start([{ key: 'one' }], { subject });
    assert.equal((await next.ended()).state, 'succeeded');
  });

  it('whose body could not be undone at first keeps nothing open once a retry has made it again', async () => {
    const run = await system.start(
      [{ key: 'off', during: [{ key: 'inner' }, { key: 'failing', undo: false }] }],
      {
        faults: {
          'do:failing': failing('CommandFailed', 1),
          'undo:inner': failing('HostKeyMismatch', 1),
        },
      },
    );
    await run.until('hold', ({ hold }) => hold !== null);
    await run.handle.signal('retry', {});
    const row = await run.ended();
    assert.deepEqual([row?.state, row?.leftovers], ['succeeded', []]);
    assert.deepEqual(
      (await run.undos()).filter(({ step, state }) => step === 'inner' && state !== 'kept'),
      [],
    );
    assert.ok(run.things().includes('inner'));
  });

  it('is told again with the results of its body when input changes later', async () => {
    const run = await system.start(
      [
        { key: 'off', during: [{ key: 'copy' }] },
        { key: 'two', editable: { fields: ['value'] } },
      ],
      { value: 'old', faults: { 'do:two': failing('CommandFailed', 1) } },
    );
    await run.until('hold', ({ hold }) => hold !== null);
    await run.handle.signal('retry', { input: { value: 'new' } });
    assert.deepEqual((await run.ended()).result, ['old', 'new']);
  });

  it('is entered again when changed input has work in its body done again', async () => {
    const run = await system.start(
      [
        { key: 'off', during: [{ key: 'copy' }] },
        { key: 'two', editable: { fields: ['value'], from: 'copy' } },
      ],
      { value: 'old', faults: { 'do:two': failing('CommandFailed', 1) } },
    );
    await run.until('hold', ({ hold }) => hold !== null);
    await run.handle.signal('retry', { input: { value: 'new' } });
    assert.equal((await run.ended()).state, 'succeeded');
    assert.deepEqual(made(run.id), ['off', 'copy', 'off', 'copy', 'two']);
  });

  it('goes on without a step of its body that was skipped', async () => {
    const body = [{ key: 'copy' }, { key: 'check', skippable: true }];
    const run = await system.start([{ key: 'off', during: body }], {
      faults: { 'do:check': failing('CommandFailed') },
    });
    await run.until('hold', ({ hold }) => hold !== null);
    assert.deepEqual(run.things(), []);
    await run.handle.signal('skip', { note: 'by hand' });
    assert.equal((await run.ended()).state, 'succeeded_with_warnings');
    assert.deepEqual(made(run.id), ['off', 'copy', 'off', 'copy']);
    assert.deepEqual(run.things(), ['copy']);
  });

  it('that cannot be left stands first among the leftovers', async () => {
    const run = await system.start([{ key: 'off', during: [{ key: 'copy' }] }], {
      faults: {
        'done:copy': failing('Conflict'),
        'undo:copy': failing('Unauthorized'),
        'undo:off': failing('Unauthorized'),
      },
    });
    const row = await run.ended();
    assert.equal(row.state, 'rollback_incomplete');
    assert.deepEqual(
      row.leftovers.map(({ step }) => step),
      ['off', 'copy'],
    );
  });
});
