import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { CancelledFailure, type Info } from '@temporalio/activity';
import { ActivityCancellationDetails, ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { CancelReason } from '@temporalio/worker/lib/activity.js';
import { DefaultLogger } from '@temporalio/worker';
import { createStepInterceptor } from '../../../activities/operation/step-interceptor.js';
import type { Attempt, StepRecords } from '../../../activities/operation/step-records.js';
import { type FailureKind, failure, kindOf } from '../../../workflows/contract/operation/failures.js';
import type { StepContext, StepRef } from '../../../workflows/contract/operation/step.js';

const WINDOW_MS = 600_000;
const REF: StepRef = {
  operation: '01JREPEATOPERATION00000000',
  subject: 'client:1',
  step: 'one',
  title: 'One',
  phase: 'do',
  seq: 1,
  try: 1,
};

const silent = new DefaultLogger('ERROR', () => undefined);

type Act = (step: StepContext) => Promise<unknown>;

/** One call of a step: its attempts come one after another, and the server keeps what the last one beat. */
function call(test: TestContext, ref: StepRef = REF) {
  const scheduledTimestampMs = Date.now();
  const environments: MockActivityEnvironment[] = [];
  test.after(() => environments.forEach((environment) => environment.cancel('WORKER_SHUTDOWN')));
  let number = 0;
  let heartbeatDetails: unknown;
  const records: StepRecords = {
    begin: () => Promise.resolve(),
    succeed: () => Promise.resolve(),
    fail(_attempt: Attempt, _error, retryWindowMs) {
      return Promise.resolve(retryWindowMs !== null && Date.now() - scheduledTimestampMs < retryWindowMs);
    },
  };
  const interceptor = createStepInterceptor({
    records,
    redact: (text) => text.replaceAll('s3cret', '***'),
    retryWindowMs: WINDOW_MS,
    log: { warn: () => undefined },
  });

  function begin(act: Act, second: unknown): Promise<unknown> {
    number += 1;
    const info: Partial<Info> = {
      attempt: number,
      scheduledTimestampMs,
      startToCloseTimeoutMs: 60_000,
      heartbeatDetails,
    };
    const environment = new MockActivityEnvironment(info, { interceptors: [interceptor], logger: silent });
    environments.push(environment);
    environment.on('heartbeat', (details: unknown) => {
      heartbeatDetails = JSON.parse(JSON.stringify(details));
    });
    return environment.run((_input: unknown, step: StepContext) => act(step), {}, second as StepContext);
  }

  return {
    /** whether the server is to try again, and with which failure */
    async attempt(act: Act): Promise<{ again: boolean; failure: ApplicationFailure }> {
      const thrown = await begin(act, ref).then(
        () => assert.fail('it must fail'),
        (error: unknown) => error,
      );
      assert.ok(thrown instanceof ApplicationFailure);
      return { again: thrown.nonRetryable !== true, failure: thrown };
    },
    /** its worker dies within it: nothing of it is heard again but what it beat */
    lose: (beats?: unknown): Promise<void> =>
      new Promise((within) => {
        const act = (step: StepContext) => {
          if (beats !== undefined) step.beat(beats);
          within();
          return new Promise((_, reject) => step.signal.addEventListener('abort', reject));
        };
        begin(act, ref).catch(() => undefined);
      }),
    outsideOfSteps: (act: () => Promise<unknown>) => begin(act, undefined),
  };
}

/** One attempt that is told to stop while it runs: what the server gets. */
async function cut(
  reason: CancelReason,
  details: ActivityCancellationDetails,
  look: (step: StepContext) => void,
): Promise<unknown> {
  const interceptor = createStepInterceptor({
    records: { begin: nothing, succeed: nothing, fail: () => Promise.resolve(true) },
    redact: (text) => text,
    retryWindowMs: WINDOW_MS,
    log: { warn: () => undefined },
  });
  const environment = new MockActivityEnvironment(
    { startToCloseTimeoutMs: 60_000 },
    { interceptors: [interceptor], logger: silent },
  );
  const act = (_input: unknown, step: StepContext) =>
    new Promise((_, reject) => {
      step.signal.addEventListener('abort', () => {
        look(step);
        reject(new Error('stopped'));
      });
      environment.cancel(reason, details);
    });
  return environment.run(act, {}, REF as StepContext).catch((error: unknown) => error);
}

const nothing = (): Promise<void> => Promise.resolve();
const fails = (kind: FailureKind) => () => Promise.reject(failure(kind, 'no'));
const bug = () => Promise.reject(new TypeError('a bug'));

describe('anything else than a declared failure', () => {
  it('is tried three times, whatever the attempts before it met', async (test) => {
    const one = call(test);
    for (let attempt = 0; attempt < 4; attempt += 1) {
      assert.equal((await one.attempt(fails('Unavailable'))).again, true);
    }
    assert.deepEqual([(await one.attempt(bug)).again, (await one.attempt(bug)).again], [true, true]);
    const last = await one.attempt(bug);
    assert.deepEqual([last.again, kindOf(last.failure)], [false, 'Unexpected']);
  });

  it('is tried again within two minutes only', async (test) => {
    test.mock.timers.enable({ apis: ['Date'], now: Date.now() });
    const one = call(test);
    assert.equal((await one.attempt(bug)).again, true);
    test.mock.timers.tick(120_000);
    assert.equal((await one.attempt(bug)).again, false);
  });
});

describe('attempts whose worker dies', () => {
  it('hold like whatever is unavailable, once they were many and the time of retries is over', async (test) => {
    test.mock.timers.enable({ apis: ['Date'], now: Date.now() });
    const one = call(test);
    for (let attempt = 0; attempt < 5; attempt += 1) await one.lose();
    test.mock.timers.tick(WINDOW_MS);
    let ran = false;
    const last = await one.attempt(() => Promise.resolve((ran = true)));
    assert.deepEqual([last.again, kindOf(last.failure), ran], [false, 'Unavailable', false]);
    assert.match(last.failure.message, /5 attempts did not come back/);
  });

  it('do not end a long command whose worker is replaced now and then', async (test) => {
    test.mock.timers.enable({ apis: ['Date'], now: Date.now() });
    const one = call(test);
    for (let attempt = 0; attempt < 4; attempt += 1) {
      await one.lose();
      test.mock.timers.tick(WINDOW_MS);
    }
    const reached = one.attempt(() => Promise.reject(failure('CommandFailed', 'it ran')));
    assert.equal((await reached).failure.message, 'it ran');
  });

  it('are not those that said how they ended', async (test) => {
    test.mock.timers.enable({ apis: ['Date'], now: Date.now() });
    const one = call(test);
    for (let attempt = 0; attempt < 8; attempt += 1) await one.attempt(fails('Unavailable'));
    test.mock.timers.tick(WINDOW_MS);
    assert.equal((await one.attempt(fails('CommandFailed'))).failure.message, 'no');
  });

  it('leave to the next one what they said last', async (test) => {
    const one = call(test);
    await one.lose({ offset: 7 });
    let found: unknown;
    await one.attempt((step) => {
      found = step.lastBeat;
      return bug();
    });
    assert.deepEqual(found, { offset: 7 });
    await one.attempt((step) => {
      found = step.lastBeat;
      return bug();
    });
    assert.deepEqual(found, { offset: 7 });
  });
});

describe('attempts', () => {
  it('that are lost, timed out, paused or shut down stop without any cancel being requested', async () => {
    for (const reason of ['NOT_FOUND', 'TIMED_OUT', 'PAUSED', 'WORKER_SHUTDOWN', 'CANCELLED'] as const) {
      const flags = { notFound: reason === 'NOT_FOUND', timedOut: reason === 'TIMED_OUT', reset: false };
      const others = { paused: reason === 'PAUSED', workerShutdown: reason === 'WORKER_SHUTDOWN' };
      const requested = reason === 'CANCELLED';
      const details = new ActivityCancellationDetails({ ...flags, ...others, cancelRequested: requested });
      let seen: boolean | undefined;
      const ended = await cut(reason, details, (step) => (seen = step.cancelRequested()));
      assert.equal(seen, requested, reason);
      if (requested) assert.ok(ended instanceof CancelledFailure);
      else
        assert.deepEqual([kindOf(ended), (ended as ApplicationFailure).nonRetryable], ['Unavailable', false]);
    }
  });
});

describe('an activity that is no step', () => {
  it('caps the message of every failure at 1 kB, and keeps no secret in it', async (test) => {
    const cause = new Error('connection refused');
    const thrown = await call(test)
      .outsideOfSteps(() => Promise.reject(new Error(`s3cret ${'x'.repeat(200_000)}`, { cause })))
      .catch((error: unknown) => error);
    assert.ok(thrown instanceof ApplicationFailure);
    assert.ok(Buffer.byteLength(thrown.message) <= 1_024);
    assert.match(thrown.message, /^connection refused: \*\*\* x/);
    assert.ok(Buffer.byteLength(thrown.stack ?? '') < 4_000);
    assert.equal(thrown.nonRetryable, false);
  });
});
