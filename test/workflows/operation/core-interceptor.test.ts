import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { ulid } from 'ulid';
import { createRedaction } from '../../../db/redaction.js';
import { operationEvents, operations, operationSteps } from '../../../db/schema/index.js';
import { pollUntil } from '../../../process/poll.js';
import { DEFAULT_LIMITS } from '../../../worker/limits.js';
import { createWorker } from '../../../worker/worker.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import type { OperationView } from '../../../workflows/contract/operation/operation.js';
import type { EditResult } from '../../../workflows/contract/operation/records.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import type { WorldActivities } from '../../support/scripted-operation.js';
import { openServices, type Services, testBundle } from '../../support/services.js';

const CANARY = 'Zq7Lw2Xv9Rt4Kp8Ms3Nd6Hb5Jc1Gf0Ty';
const redaction = createRedaction();
redaction.add(CANARY);
const taskQueue = 'core';

type Make = (step: StepContext) => Promise<void> | void;

describe('the interceptor around steps', { concurrency: 8 }, () => {
  let services: Services;
  let stop: () => Promise<void>;
  const makes = new Map<string, Make>();
  const unmade: string[] = [];
  const logged: string[] = [];
  const edits = new Map<string, () => Promise<EditResult>>();

  before(async () => {
    services = await openServices();
    const activities: WorldActivities = {
      async make({ value }, step) {
        await makes.get(step.subject)?.(step);
        return value;
      },
      unmake: (_input, step) => Promise.resolve(void unmade.push(step.subject)),
    };
    const worker = await createWorker({
      connection: services.native,
      namespace: 'default',
      taskQueue,
      workflowBundle: await testBundle(),
      db: services.database.db,
      secrets: redaction,
      limits: DEFAULT_LIMITS,
      retryWindowMs: 1_500,
      edits: {
        scripted: (params) => edits.get((params as { subject: string }).subject)?.() ?? allowed(params),
      },
      activities: { test: activities },
      log: { warn: (fields, message) => void logged.push(JSON.stringify({ ...fields, message })) },
    });
    const done = worker.run();
    stop = async () => {
      worker.shutdown();
      await done;
    };
  });
  after(async () => {
    await stop?.();
    await services?.close();
  });

  const allowed = (params: unknown): Promise<EditResult> => Promise.resolve({ ok: true, params });

  async function start(workflow: string, params: object = {}, make?: Make) {
    const id = ulid();
    const subject = `client:${id}`;
    if (make !== undefined) makes.set(subject, make);
    const operation = { id, actor: 'tester', requestId: null };
    const handle = await services.client.workflow.start(workflow, {
      workflowId: subject,
      taskQueue,
      args: [{ operation, params: { subject, ...params } }],
    });
    const { db } = services.database;
    return {
      id,
      subject,
      handle,
      row: async () => (await db.select().from(operations).where(eq(operations.id, id)))[0],
      until: (what: string, test: (view: OperationView) => boolean) =>
        pollUntil({
          what,
          deadlineMs: 15_000,
          probe: async () => {
            const view = await handle.query<OperationView, []>('view');
            return test(view) ? view : undefined;
          },
        }),
      /** everything that was kept of it, as one text */
      async kept() {
        const steps = await db.select().from(operationSteps).where(eq(operationSteps.operationId, id));
        const lines = await db.select().from(operationEvents).where(eq(operationEvents.operationId, id));
        return decoded(historyToJSON(await handle.fetchHistory())) + JSON.stringify([steps, lines]);
      },
    };
  }

  /** a fragment of the canary of at least `length` characters that stands in the text */
  function fragmentIn(text: string, length = 8): string | undefined {
    for (let at = 0; at + length <= CANARY.length; at += 1) {
      const part = CANARY.slice(at, at + length);
      if (text.includes(part)) return part;
    }
    return undefined;
  }

  /** payloads of a history stand in base64 */
  function decoded(json: string): string {
    const payloads = [...json.matchAll(/"data": ?"([A-Za-z0-9+/=]+)"/g)];
    return json + payloads.map(([, data]) => Buffer.from(data ?? '', 'base64').toString()).join('\n');
  }

  const one = { steps: [{ key: 'one', undo: false }] };

  it('keeps no secret of an unexpected error, neither of its message nor of its stack', async () => {
    const run = await start('scripted', one, () => {
      throw new TypeError(`cannot read ${CANARY} of undefined`);
    });
    await run.until('hold', ({ hold }) => hold !== null);
    assert.equal(fragmentIn(await run.kept()), undefined);
    await run.handle.terminate();
  });

  it('logs no secret of an unexpected error', async () => {
    const run = await start('scripted', one, () => {
      throw new RangeError(`cannot read ${CANARY} of undefined`);
    });
    await run.until('hold', ({ hold }) => hold !== null);
    assert.ok(logged.some((line) => line.includes('RangeError')));
    assert.equal(fragmentIn(logged.join('\n')), undefined);
    await run.handle.terminate();
  });

  it('keeps the kind of an unexpected error with a huge message, and little of it', async () => {
    const run = await start('scripted', one, () => {
      throw new TypeError('x'.repeat(300_000));
    });
    const { hold } = await run.until('hold', (view) => view.hold !== null);
    assert.equal(hold?.error.kind, 'Unexpected');
    assert.ok((await run.kept()).length < 60_000);
    await run.handle.terminate();
  });

  it('keeps no half of a secret that the cap of a message cut', async () => {
    for (const shift of [0, 10, 20]) {
      const text = `${'a'.repeat(325 + shift)}${CANARY}${'b'.repeat(2_000)}${CANARY}${'c'.repeat(655 + shift)}`;
      const run = await start('scripted', one, () => {
        throw failure('CommandFailed', text);
      });
      await run.until('hold', ({ hold }) => hold !== null);
      assert.equal(fragmentIn(await run.kept()), undefined, `shifted by ${shift}`);
      await run.handle.terminate();
    }
  });

  it('keeps no half of a secret that the cap of a summary cut', async () => {
    const run = await start('scripted', one, (step) => {
      step.summarize(`${'a'.repeat(50)}${CANARY}${'b'.repeat(500)}`);
    });
    await run.handle.result();
    assert.equal(fragmentIn(await run.kept()), undefined);
  });

  it('caps hints like messages', async () => {
    const run = await start('scripted', one, () => {
      throw failure('CommandFailed', 'no', { hint: 'h'.repeat(100_000) });
    });
    const { hold } = await run.until('hold', (view) => view.hold !== null);
    assert.equal(hold?.error.kind, 'CommandFailed');
    assert.ok(Buffer.byteLength(hold?.error.hint ?? '') <= 1_024);
    await run.handle.terminate();
  });

  it('holds when every attempt hangs until its time is over', async () => {
    const run = await start(
      'hurried',
      {},
      (step) =>
        new Promise((_, reject) => {
          step.signal.addEventListener('abort', () => reject(new Error('given up')));
        }),
    );
    const { hold } = await run.until('hold', (view) => view.hold !== null);
    assert.equal(hold?.error.kind, 'Unavailable');
    await run.handle.terminate();
  });

  it('tries a bug three times, whatever the attempts before it met, then holds', async () => {
    const soon = { nextRetryDelay: 10 };
    let attempts = 0;
    const run = await start('scripted', one, () => {
      attempts += 1;
      if (attempts === 1) throw failure('RateLimited', 'slow down', { retryAfterMs: 10 });
      throw Object.assign(new TypeError('a bug'), soon);
    });
    const { hold } = await run.until('hold', (view) => view.hold !== null);
    assert.equal(hold?.error.kind, 'Unexpected');
    assert.equal(attempts, 4);
    await run.handle.terminate();
  });

  it('rolls back when the story itself refuses to go on', async () => {
    const run = await start('refusing');
    await assert.rejects(run.handle.result());
    assert.deepEqual(
      unmade.filter((subject) => subject === run.subject),
      [run.subject],
    );
    assert.equal((await run.row())?.state, 'rolled_back');
  });

  it('takes no decision for a hold before that hold exists', async () => {
    let failed = 0;
    const steps = [{ key: 'one', editable: { fields: ['value'] } }, { key: 'two' }];
    const run = await start('scripted', { steps }, (step) => {
      if (failed < 2 && step.try === 1) {
        failed += 1;
        throw failure('CommandFailed', 'no');
      }
    });
    edits.set(run.subject, async () => {
      await run.handle.signal('rollback', {});
      await run.until('it to be ignored', ({ decisions }) => decisions.some(({ accepted }) => !accepted));
      return { ok: true, params: { subject: run.subject, steps, value: 'new' } };
    });
    await run.until('hold', ({ hold }) => hold !== null);
    await run.handle.signal('retry', { input: { value: 'new' } });
    const view = await run.until(
      'what follows',
      ({ hold, endedAt }) => hold?.number === 2 || endedAt !== null,
    );
    assert.deepEqual(
      view.decisions.map(({ action, accepted }) => [action, accepted]),
      [
        ['rollback', false],
        ['retry', true],
      ],
    );
    assert.equal(view.state, 'holding');
    await run.handle.terminate();
  });
});
