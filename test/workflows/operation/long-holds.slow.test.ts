import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startTemporal, type TemporalServer } from '../../../start/services/temporal.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import { SEARCH_ATTRIBUTES } from '../../../workflows/contract/search-attributes.js';
import {
  type Fault,
  openScriptedSystem,
  type ScriptedRun,
  type ScriptedSystem,
} from '../../support/scripted-world.js';

/** The server's own default is 4096 events, weeks of a hold. */
const SUGGEST_AT = 100;
/** What is written between the suggestion and the next run: one more try of the step and its records. */
const MORE = 60;
const FAILURES = 8;

describe('a forward-only hold that nobody ends', () => {
  let temporal: TemporalServer;
  let system: ScriptedSystem;
  before(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'slipway-long-holds-'));
    const searchAttributes = Object.keys(SEARCH_ATTRIBUTES);
    const dynamic = [`limit.historyCount.suggestContinueAsNew=${SUGGEST_AT}`];
    temporal = await startTemporal({ dir, log: () => undefined, searchAttributes, dynamic });
    system = await openScriptedSystem({ forwardRetryMs: 10 }, { temporal: temporal.address });
  });
  after(async () => {
    await system?.close();
    await temporal?.stop();
  });

  function failing(times: number): Fault {
    let left = times;
    return () => {
      left -= 1;
      if (left >= 0) throw failure('CommandFailed', 'not yet');
    };
  }

  /** How long the histories of its runs are, from the first to the last. */
  async function lengths({ handle, subject }: ScriptedRun): Promise<number[]> {
    const found: number[] = [];
    for (
      let runId: string | undefined = (await handle.fetchHistory()).events?.[0]
        ?.workflowExecutionStartedEventAttributes?.firstExecutionRunId as string;
      runId;
    ) {
      const { events } = await system.client.workflow.getHandle(subject, runId).fetchHistory();
      found.push(events?.length ?? 0);
      runId = events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? undefined;
    }
    return found;
  }

  function made(run: ScriptedRun): (string | undefined)[] {
    return system.world.log
      .filter((line) => line.startsWith(`make ${run.id}`))
      .map((line) => line.split(' ')[2]);
  }

  it('goes on as new before its history grows long, and does nothing twice', async () => {
    const steps = [{ key: 'zero', undo: true }, { key: 'one', commitBefore: true }, { key: 'two' }];
    const run = await system.start(steps, { faults: { 'do:one': failing(FAILURES) } });
    assert.equal((await run.ended()).state, 'succeeded');
    assert.deepEqual(made(run), ['zero', 'one', 'two']);
    const runs = await lengths(run);
    assert.ok(runs.length > 1, `runs of ${runs.join(', ')} events`);
    assert.ok(Math.max(...runs) < SUGGEST_AT + MORE, `runs of ${runs.join(', ')} events`);
  });

  it('stays in the dangerous state that was committed in, and leaves it once', async () => {
    const body = [{ key: 'copy' }, { key: 'last', commitBefore: true }];
    const run = await system.start([{ key: 'traffic-off', during: body }, { key: 'after' }], {
      faults: { 'do:last': failing(FAILURES) },
    });
    assert.equal((await run.ended()).state, 'succeeded');
    assert.ok((await lengths(run)).length > 1);
    assert.deepEqual(made(run), ['traffic-off', 'copy', 'last', 'after']);
    assert.deepEqual(run.things().sort(), ['after', 'copy', 'last']);
  });

  it('keeps what its story heard in the runs before', async () => {
    const run = await system.start([{ key: 'one', commitBefore: true }], {
      hears: 'word',
      faults: { 'do:one': failing(FAILURES) },
    });
    await run.until('a hold', (view) => view.hold !== null);
    await run.handle.signal('word', { number: 1 });
    await run.until('many holds', (view) => (view.hold?.number ?? 0) >= FAILURES - 1);
    await run.handle.signal('word', { number: 2 });
    const { result } = await run.ended();
    assert.ok((await lengths(run)).length > 1);
    assert.deepEqual(result, ['made', '{"number":1}', '{"number":2}']);
  });

  it('is still decided on by a person', async () => {
    const run = await system.start([{ key: 'one', commitBefore: true, skippable: true }], {
      faults: { 'do:one': failing(Number.POSITIVE_INFINITY) },
    });
    const { hold } = await run.until('many holds', (view) => (view.hold?.number ?? 0) > FAILURES);
    assert.deepEqual(hold?.actions, ['retry', 'skip']);
    await run.handle.signal('skip', { note: 'it is gone for good' });
    assert.equal((await run.ended()).state, 'succeeded_with_warnings');
    assert.ok((await lengths(run)).length > 1);
  });
});
