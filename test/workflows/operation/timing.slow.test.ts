import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import { ulid } from 'ulid';
import { openScriptedWorkers, type ScriptedWorkers } from '../../support/scripted-workers.js';

/** Without the flags of `start/services/temporal.ts` each costs about 100 ms. */
const TEN_ACTIVITIES_MS = 400;
/** Aim: 25 ms each; the bound leaves room for a machine that runs other tests beside. */
const TEN_STEPS_MS = 1_000;
/** A machine that others use is seldom busy for as long. */
const ROUNDS = 4;

/** `test/run.ts` runs this file last, when little runs beside it. */
describe('the time that an operation takes', () => {
  let workers: ScriptedWorkers;
  before(async () => {
    workers = await openScriptedWorkers();
  });
  after(() => workers?.close());

  /** As Temporal saw it: from the start's event to the end's. */
  async function temporalTime(handle: WorkflowHandle): Promise<number> {
    await handle.result();
    const { startTime, closeTime } = await handle.describe();
    return (closeTime?.getTime() ?? Number.NaN) - startTime.getTime();
  }

  /** The median of seven, of as many rounds as the bound needs: what else runs on the machine can only add. */
  async function bestMedian(boundMs: number, once: () => Promise<number>): Promise<number> {
    await once();
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < ROUNDS && best >= boundMs; round += 1) {
      const times: number[] = [];
      for (let turn = 0; turn < 7; turn += 1) times.push(await once());
      best = Math.min(best, times.sort((a, b) => a - b)[3] as number);
    }
    return best;
  }

  it('is under 400 ms for ten activities in a row', async (t) => {
    const { taskQueue, kill } = await workers.startWorker();
    const took = await bestMedian(TEN_ACTIVITIES_MS, async () =>
      temporalTime(
        await workers.services.client.workflow.start('tenActivities', {
          workflowId: `ten:${ulid()}`,
          taskQueue,
        }),
      ),
    );
    t.diagnostic(`ten activities: ${took} ms`);
    assert.ok(took < TEN_ACTIVITIES_MS, `${took} ms`);
    await kill('SIGTERM');
  });

  it('is some 25 ms for each durable step with its records', async (t) => {
    const { taskQueue, kill } = await workers.startWorker();
    const steps = Array.from({ length: 10 }, (_, index) => ({ key: `step-${index}` }));
    const ten = await bestMedian(TEN_STEPS_MS, async () =>
      temporalTime((await workers.start(taskQueue, steps)).handle),
    );
    t.diagnostic(`ten steps: ${ten} ms`);
    assert.ok(ten < TEN_STEPS_MS, `${ten} ms`);
    await kill('SIGTERM');
  });
});
