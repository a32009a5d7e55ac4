import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { pollUntil } from '../../../process/poll.js';
import { FAILURE_KINDS, failure, REACTIONS } from '../../../workflows/contract/operation/failures.js';
import { failing, openScriptedSystem, type ScriptedSystem } from '../../support/scripted-world.js';

describe('an operation', { concurrency: 8 }, () => {
  let system: ScriptedSystem;
  before(async () => {
    system = await openScriptedSystem({ holdWindowMs: 20_000 });
  });
  after(() => system?.close());

  it('does its steps in order and ends as succeeded, with a gap-free log and kept undos', async () => {
    const run = await system.start([{ key: 'one' }, { key: 'two' }]);
    const row = await run.ended();
    assert.equal(row.state, 'succeeded');
    assert.deepEqual(row.result, ['made', 'made']);
    assert.deepEqual(run.things(), ['one', 'two']);
    const expected = ['Scripted', 'one …', 'one: done', 'two …', 'two: done', 'Scripted: succeeded'];
    assert.deepEqual(await run.lines(), expected);
    assert.deepEqual(
      (await run.undos()).map((undo) => undo.state),
      ['kept', 'kept'],
    );
  });

  it('undoes in reverse what it made when a step cannot go on, and reports the original error', async () => {
    const run = await system.start([{ key: 'one' }, { key: 'two' }, { key: 'three' }], {
      faults: { 'done:three': failing('Conflict') },
    });
    const row = await run.ended();
    assert.equal(row.state, 'rolled_back');
    assert.equal(row.error?.kind, 'Conflict');
    assert.deepEqual(run.things(), []);
    const undone = system.world.log.filter((line) => line.startsWith(`unmake ${run.id}`));
    assert.deepEqual(
      undone.map((line) => line.split(' ')[2]),
      ['three', 'two', 'one'],
    );
    assert.equal((await run.handle.describe()).status.name, 'FAILED');
    assert.ok((await run.undos()).every((undo) => undo.state === 'undone'));
  });

  it('writes the undo before the first effect', async () => {
    let seen: string[] = [];
    const run = await system.start([{ key: 'one' }], {
      faults: {
        'do:one': async () => {
          seen = (await run.undos()).map((undo) => `${undo.step} ${undo.activity} ${undo.state}`);
        },
      },
    });
    await run.ended();
    assert.deepEqual(seen, ['one test.unmake registered']);
  });

  for (const kind of FAILURE_KINDS.filter((candidate) => candidate !== 'OperationClosed')) {
    const { retried, finally: then } = REACTIONS[kind];
    it(`meets ${kind} with ${retried ? 'automatic retries, then ' : ''}${then}`, async () => {
      let attempts = 0;
      const run = await system.start([{ key: 'one' }, { key: 'two' }], {
        faults: {
          'do:two': () => {
            attempts += 1;
            throw kind === 'Unexpected'
              ? new TypeError('a bug')
              : failure(kind, 'injected', { hint: 'mend it' });
          },
        },
      });
      if (then === 'hold') {
        const held = await run.until('hold', (view) => view.state === 'holding');
        assert.deepEqual(held.hold?.actions, ['retry', 'rollback']);
        assert.equal(held.hold?.error.kind, kind);
        await run.handle.signal('rollback', {});
      }
      const row = await run.ended();
      assert.equal(row.state, 'rolled_back');
      assert.equal(row.error?.kind, kind);
      assert.equal(attempts > 1, retried);
      assert.deepEqual(run.things(), []);
    });
  }

  it('retries what is unavailable by itself and says so in its log', async () => {
    const run = await system.start([{ key: 'one' }], { faults: { 'do:one': failing('Unavailable', 1) } });
    assert.equal((await run.ended()).state, 'succeeded');
    assert.ok((await run.lines()).includes('one: injected Unavailable; trying again'));
  });

  it('waits as long as a rate limit asks for', async () => {
    const times: number[] = [];
    const run = await system.start([{ key: 'one' }], {
      faults: {
        'do:one': () => {
          times.push(Date.now());
          if (times.length === 1) throw failure('RateLimited', 'slow down', { retryAfterMs: 1_400 });
        },
      },
    });
    assert.equal((await run.ended()).state, 'succeeded');
    assert.ok((times[1] ?? 0) - (times[0] ?? 0) >= 1_400);
  });

  it('takes a soft failure as a warning and goes on', async () => {
    const run = await system.start([{ key: 'mail', onFail: 'warn' }, { key: 'two' }], {
      faults: { 'do:mail': failing('CommandFailed') },
    });
    const row = await run.ended();
    assert.equal(row.state, 'succeeded_with_warnings');
    assert.deepEqual(row.warnings, [{ step: 'mail', message: 'injected CommandFailed' }]);
    assert.deepEqual(run.things(), ['two']);
  });

  it('names what could not be undone, and undoes the rest', async () => {
    const run = await system.start([{ key: 'one' }, { key: 'two' }, { key: 'three' }], {
      faults: { 'do:three': failing('Conflict'), 'undo:two': failing('CommandFailed') },
    });
    const row = await run.ended();
    assert.equal(row.state, 'rollback_incomplete');
    assert.equal(row.leftovers.length, 1);
    assert.equal(row.leftovers[0]?.step, 'two');
    assert.match(row.leftovers[0]?.remedy ?? '', /cleanup/);
    assert.equal(row.error?.kind, 'Conflict');
    assert.deepEqual(run.things(), ['two']);
    const failed = (await run.undos()).filter((undo) => undo.state === 'failed');
    assert.deepEqual(
      failed.map((undo) => undo.step),
      ['two'],
    );
  });

  it('refuses a subject that an earlier operation left things on', async () => {
    const subject = 'client:restricted';
    const faults = { 'do:two': failing('Conflict'), 'undo:one': failing('CommandFailed') };
    await (await system.start([{ key: 'one' }, { key: 'two' }], { subject, faults })).ended();
    const next = await system.start([{ key: 'one' }], { subject });
    const row = await next.ended();
    assert.equal(row.state, 'rolled_back');
    assert.match(row.error?.message ?? '', /clean up first/);
    assert.deepEqual(next.things(), []);
  });

  it('ends as cancelled when a person cancels between steps or within one, with nothing left', async () => {
    for (const place of ['do:two', 'in:two', 'done:two']) {
      const run = await system.start([{ key: 'one' }, { key: 'two', takesMs: 200 }, { key: 'three' }], {
        faults: { [place]: (step) => cancel(step.subject) },
      });
      const row = await run.ended();
      assert.equal(row.state, 'cancelled', place);
      assert.deepEqual(run.things(), [], place);
      assert.equal((await run.handle.describe()).status.name, 'CANCELLED');
    }
  });

  it('starts no undo before its cancelled act has ended', async () => {
    const run = await system.start([{ key: 'slow', takesMs: 2_500 }], {
      faults: { 'in:slow': (step) => cancel(step.subject) },
    });
    await run.ended();
    const own = system.world.log.filter((line) => line.includes(run.id)).map((line) => line.split(' ')[0]);
    assert.deepEqual(own, ['make', 'made', 'unmake']);
  });

  it('cancels while it holds', async () => {
    const run = await system.start([{ key: 'one' }, { key: 'two' }], {
      faults: { 'do:two': failing('CommandFailed') },
    });
    await run.until('hold', (view) => view.state === 'holding');
    await run.handle.cancel();
    assert.equal((await run.ended()).state, 'cancelled');
    assert.deepEqual(run.things(), []);
  });

  it('only goes forward after the commit: cancel and rollback are recorded as ignored', async () => {
    const run = await system.start([{ key: 'one' }, { key: 'two', commitBefore: true, skippable: true }], {
      faults: { 'do:two': failing('CommandFailed', 1) },
    });
    const held = await run.until('hold', (view) => view.state === 'holding');
    assert.deepEqual(held.hold?.actions, ['retry', 'skip']);
    assert.equal(held.hold?.until, null);
    await run.handle.signal('rollback', { id: 'r1' });
    await run.handle.cancel();
    await run.until('decisions', (view) => view.decisions.length === 2);
    await run.handle.signal('retry', { id: 'r2' });
    const row = await run.ended();
    assert.equal(row.state, 'succeeded');
    assert.deepEqual(
      row.decisions.map(({ action, accepted, ignored }) => [action, accepted, ignored]),
      [
        ['rollback', false, 'past_commit'],
        ['cancel', false, 'past_commit'],
        ['retry', true, undefined],
      ],
    );
  });

  it('tries again by itself while a forward-only step holds', async () => {
    const own = await openScriptedSystem({ forwardRetryMs: 300 });
    try {
      const run = await own.start([{ key: 'one', commitBefore: true }], {
        faults: { 'do:one': failing('CommandFailed', 2) },
      });
      assert.equal((await run.ended()).state, 'succeeded');
    } finally {
      await own.close();
    }
  });

  it('leaves a dangerous state before it asks anybody, and enters it again on retry', async () => {
    const body = [{ key: 'copy' }, { key: 'switch' }];
    const run = await system.start([{ key: 'traffic-off', during: body }, { key: 'after' }], {
      faults: { 'do:switch': failing('CommandFailed', 1) },
    });
    await run.until('hold', (view) => view.state === 'holding');
    assert.deepEqual(run.things(), []);
    await run.handle.signal('retry');
    assert.equal((await run.ended()).state, 'succeeded');
    assert.deepEqual(run.things().sort(), ['after', 'copy', 'switch']);
    const made = system.world.log
      .filter((line) => line.startsWith(`make ${run.id}`))
      .map((line) => line.split(' ')[2]);
    assert.deepEqual(made, ['traffic-off', 'copy', 'traffic-off', 'copy', 'switch', 'after']);
  });

  it('leaves a dangerous state when the body cannot go on or is cancelled', async () => {
    for (const fault of [failing('Conflict'), (step: { subject: string }) => cancel(step.subject)]) {
      const run = await system.start([{ key: 'traffic-off', during: [{ key: 'copy', takesMs: 100 }] }], {
        faults: { 'in:copy': fault },
      });
      await run.ended();
      assert.deepEqual(run.things(), []);
    }
  });

  it('refuses a start under a workflow id that is not its subject, before any effect', async () => {
    const taskQueue = (await (await system.start([])).handle.describe()).taskQueue;
    const handle = await system.client.workflow.start('scripted', {
      workflowId: 'client:somebody-else',
      taskQueue,
      args: [{ params: { subject: 'client:me', steps: [{ key: 'one' }] } }],
    });
    await assert.rejects(
      handle.result(),
      (error: { cause?: { type?: string } }) => error.cause?.type === 'InvalidInput',
    );
  });

  it('makes its own id when it was started by hand', async () => {
    const taskQueue = (await (await system.start([])).handle.describe()).taskQueue;
    const subject = 'client:by-hand';
    const args = [{ params: { subject, steps: [{ key: 'one' }] } }];
    const handle = await system.client.workflow.start('scripted', { workflowId: subject, taskQueue, args });
    await handle.result();
    const view = await handle.query<{ id: string }, []>('view');
    assert.match(view.id, /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
    assert.equal(system.world.things.get(`${view.id}/one`), 'made');
  });

  it('caps a huge message so that its kind survives', async () => {
    const huge = 'x'.repeat(200_000);
    const run = await system.start([{ key: 'one' }], {
      faults: {
        'do:one': () => {
          throw failure('CommandFailed', `head ${huge} tail`);
        },
      },
      request: { onFailure: 'rollback' },
    });
    const row = await run.ended();
    assert.equal(row.error?.kind, 'CommandFailed');
    assert.ok(Buffer.byteLength(row.error?.message ?? '') <= 1_024);
    assert.match(row.error?.message ?? '', /^head .*tail$/);
  });

  it('does no more work for an operation that is recorded as ended', async () => {
    let release = (): void => undefined;
    const blocked = new Promise<void>((resolve) => {
      release = resolve;
    });
    const run = await system.start([{ key: 'one' }, { key: 'two' }], {
      faults: { 'done:one': () => blocked },
    });
    await pollUntil({ what: 'one', deadlineMs: 20_000, probe: () => run.things().length === 1 || undefined });
    await system.database.sql`update operations set state = 'terminated' where id = ${run.id}`;
    release();
    await assert.rejects(run.handle.result());
    assert.ok(!system.world.log.includes(`make ${run.id} two`));
  });

  async function cancel(subject: string): Promise<void> {
    await system.client.workflow.getHandle(subject).cancel();
  }
});
