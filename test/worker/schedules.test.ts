import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Client } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { pollUntil } from '../../process/poll.js';
import { ensureSchedules } from '../../worker/schedules.js';
import { SCHEDULE_IDS } from '../../workflows/contract/operation/schedules.js';
import { openServices, type Services } from '../support/services.js';

describe('schedules of the sweeps', () => {
  let services: Services;
  let schedule: Client['schedule'];
  let place: { namespace: string; taskQueue: string };

  before(async () => {
    services = await openServices();
    // a namespace of the test's own: schedules in the shared one would start sweeps
    const namespace = `test-${randomBytes(4).toString('hex')}`;
    await services.native.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: msToTs('1 day'),
    });
    place = { namespace, taskQueue: 'first' };
    schedule = new Client({ connection: services.client.connection, namespace }).schedule;
    await pollUntil({
      what: 'the new namespace',
      deadlineMs: 20_000,
      probe: async () => {
        await ensureSchedules(services.native, place);
        return true;
      },
    });
  });
  after(() => services?.close());

  const read = (id: string) => schedule.getHandle(id).describe();

  it('are made at worker start, also by workers that start together', async () => {
    await Promise.all([1, 2, 3].map(() => ensureSchedules(services.native, place)));
    const minute = await read(SCHEDULE_IDS.minute);
    assert.deepEqual(
      minute.spec.intervals?.map(({ every }) => every),
      [60_000],
    );
    assert.equal(minute.policies.overlap, 'SKIP');
    assert.equal(minute.policies.catchupWindow, 60_000);
    assert.ok(minute.info.nextActionTimes.length > 0);
    const nightly = await read(SCHEDULE_IDS.nightly);
    assert.equal(nightly.policies.catchupWindow, 12 * 3_600_000);
    const types = [minute, nightly].map(({ action }) =>
      action.type === 'startWorkflow' ? action.workflowType : '',
    );
    assert.deepEqual(types, ['sweepOperations', 'sweepNightly']);
  });

  it('are brought up to date; a paused one stays paused', async () => {
    await schedule.getHandle(SCHEDULE_IDS.minute).pause('an operator looks into something');
    await schedule.getHandle(SCHEDULE_IDS.minute).update((now) => ({
      ...now,
      spec: { intervals: [{ every: '5 minutes' }] },
    }));
    await ensureSchedules(services.native, { ...place, taskQueue: 'second' });
    const minute = await read(SCHEDULE_IDS.minute);
    assert.deepEqual(
      minute.spec.intervals?.map(({ every }) => every),
      [60_000],
    );
    assert.equal(minute.action.type === 'startWorkflow' && minute.action.taskQueue, 'second');
    assert.equal(minute.state.paused, true);
    assert.equal(minute.state.note, 'an operator looks into something');
    assert.equal((await read(SCHEDULE_IDS.nightly)).state.paused, false);
  });
});
