import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { ulid } from 'ulid';
import { sh } from '../../../activities/ssh/shell.js';
import { fenced } from '../../../activities/ssh/fence.js';
import { createRedaction } from '../../../db/redaction.js';
import { bundleWorkflows } from '../../../worker/bundle.js';
import { DEFAULT_LIMITS } from '../../../worker/limits.js';
import { createWorker } from '../../../worker/worker.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import type { OperationView } from '../../../workflows/contract/operation/operation.js';
import type { OperationPlan } from '../../../workflows/contract/operation/plan.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import type { ShelfActivities } from '../../support/plan-workflows.js';
import { openServices, type Services } from '../../support/services.js';
import { tableContents } from '../../support/table-contents.js';

const WORKFLOWS = new URL('../../support/plan-workflows.ts', import.meta.url).pathname;
const CANARY = 'Zq7Lw2Xv9Rt4Kp8Ms3Nd6Hb5Jc1Gf0Ty';
const redaction = createRedaction();
redaction.add(CANARY);
const taskQueue = `plans-${ulid()}`;

describe('a plan', () => {
  let services: Services;
  let stop: () => Promise<void>;
  /** what stands on the shelves, and who looked at them */
  const shelves = new Map<string, string[]>();
  const looks: string[] = [];
  const looking = new Map<string, (step: StepContext) => void>();

  const activities: ShelfActivities = {
    look({ shelf }, step) {
      looks.push(`look ${shelf}`);
      looking.get(shelf)?.(step);
      return Promise.resolve({ free: 3 });
    },
    foresee({ shelf, what }) {
      looks.push(`foresee ${shelf}`);
      return Promise.resolve(`${what} #2`);
    },
    put({ shelf, what }) {
      const things = shelves.get(shelf) ?? [];
      shelves.set(shelf, [...things, what]);
      return Promise.resolve(`${what} #${things.length + 1}`);
    },
    every: ({ count }) =>
      Promise.resolve(
        Array.from({ length: count }, (_, index) => ({
          subject: `client:${index + 1}`,
          params: { shelf: index + 1 },
        })),
      ),
    take({ shelf, what }) {
      shelves.set(
        shelf,
        (shelves.get(shelf) ?? []).filter((thing) => thing !== what),
      );
      return Promise.resolve();
    },
  };

  before(async () => {
    services = await openServices();
    const worker = await createWorker({
      connection: services.native,
      namespace: 'default',
      taskQueue,
      workflowBundle: await bundleWorkflows(WORKFLOWS),
      db: services.database.db,
      secrets: redaction,
      limits: DEFAULT_LIMITS,
      retryWindowMs: 1_500,
      edits: {},
      activities: { test: activities },
      log: { warn: () => undefined },
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

  function start(workflowId: string, input: object, workflow = 'fillShelf') {
    return services.client.workflow.start(workflow, { workflowId, taskQueue, args: [input] });
  }

  async function plan(shelf: string, workflowId = `plan:${ulid()}`) {
    const handle = await start(workflowId, { plan: true, params: { shelf } });
    return { handle, plan: (await handle.result()) as OperationPlan };
  }

  async function refusal(workflowId: string, input: object) {
    const handle = await start(workflowId, input);
    const error: unknown = await handle.result().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(
      error instanceof WorkflowFailedError && error.cause instanceof ApplicationFailure,
      String(error),
    );
    return { handle, cause: error.cause };
  }

  it('lists every step with title, target and undo, and changes nothing', async () => {
    const shelf = ulid();
    const tables = await tableContents(services.database.db);
    const { plan: planned } = await plan(shelf);
    const subject = `client:${shelf}`;
    assert.deepEqual(planned.steps, [
      { key: 'look', kind: 'check', title: 'Look at it', target: 'the shelf' },
      { key: 'first', kind: 'step', title: 'Put a book', target: subject, undo: 'test.take' },
      {
        ...{
          key: 'second',
          kind: 'step',
          title: 'Put a vase beside book #1',
          target: subject,
          undo: 'test.take',
        },
        skippable: true,
      },
      { key: 'closed', kind: 'enter', title: 'Close the room', target: subject, undo: 'test.take' },
      { key: 'dust', kind: 'step', title: 'Dust vase #2', target: 'all', undo: 'test.take', onFail: 'warn' },
      { key: 'closed-left', kind: 'leave', title: 'Open the room', target: subject },
      { key: 'commit', kind: 'commit', title: 'Point of no return', target: subject },
      { key: 'last', kind: 'step', title: 'Put a lamp', target: subject },
    ]);
    assert.deepEqual(
      looks.filter((look) => look.endsWith(shelf)),
      [`look ${shelf}`, `foresee ${shelf}`],
    );
    assert.equal(shelves.get(shelf), undefined);
    assert.deepEqual(await tableContents(services.database.db), tables);
  });

  it('names the steps that the operation then takes', async () => {
    const shelf = ulid();
    const { plan: planned } = await plan(shelf);
    const handle = await start(`client:${shelf}`, { params: { shelf } });
    assert.equal(await handle.result(), 'vase #2');
    const { steps } = await handle.query<OperationView, []>('view');
    assert.deepEqual(
      planned.steps.filter(({ kind }) => kind !== 'commit').map(({ key, title }) => [key, title]),
      steps.map(({ key, title }) => [key, title]),
    );
    assert.deepEqual(shelves.get(shelf), ['book', 'vase', 'dust', 'lamp']);
  });

  it('lists the operations of a fan-out, the first ones by name, and starts none', async () => {
    const planning = { plan: true, params: { count: 203 } };
    const handle = await start(`plan:${ulid()}`, planning, 'fillShelves');
    const { steps } = (await handle.result()) as OperationPlan;
    assert.deepEqual(steps.slice(0, 2), [
      { key: 'all', kind: 'check', title: 'Every shelf', target: 'fleet:fill' },
      { key: 'all/client:1', kind: 'child', title: 'Fill 1', target: 'client:1' },
    ]);
    assert.deepEqual(steps.slice(200), [
      { key: 'all/client:200', kind: 'child', title: 'Fill 200', target: 'client:200' },
      { key: 'all/…', kind: 'child', title: 'fill_shelf of 3 more', target: 'fleet:fill' },
    ]);
    await assert.rejects(services.client.workflow.getHandle('client:1').describe(), WorkflowNotFoundError);
  });

  it('ends with the failure of a check, its step and its hint, and does not try again', async () => {
    const shelf = ulid();
    looking.set(shelf, () => {
      throw failure('Unavailable', 'the room is locked', { hint: 'ask for the key' });
    });
    const { cause } = await refusal(`plan:${ulid()}`, { plan: true, params: { shelf } });
    assert.deepEqual([cause.type, cause.message], ['Unavailable', 'the room is locked']);
    assert.deepEqual(cause.details, [{ step: 'look', hint: 'ask for the key' }]);
    assert.deepEqual(
      looks.filter((look) => look.endsWith(shelf)),
      [`look ${shelf}`],
    );
  });

  it('keeps no secret of a failing check', async () => {
    const shelf = ulid();
    looking.set(shelf, () => {
      throw new TypeError(`cannot read ${CANARY}`);
    });
    const { handle, cause } = await refusal(`plan:${ulid()}`, { plan: true, params: { shelf } });
    assert.equal(cause.type, 'Unexpected');
    assert.match(cause.message, /^cannot read /);
    const history = historyToJSON(await handle.fetchHistory());
    assert.ok(!JSON.stringify(history).includes(CANARY.slice(4, 20)));
  });

  it('lets a check run as it does otherwise, but knows that it is planning', async () => {
    const shelf = ulid();
    const seen: StepContext[] = [];
    looking.set(shelf, (step) => {
      step.beat('still looking');
      step.summarize('seen');
      seen.push(step);
    });
    await plan(shelf);
    await (await start(`client:${shelf}`, { params: { shelf } })).result();
    assert.deepEqual(
      seen.map(({ subject, step, planning }) => [subject, step, planning]),
      [
        [`client:${shelf}`, 'look', true],
        [`client:${shelf}`, 'look', undefined],
      ],
    );
    const [planning, doing] = seen as [StepContext, StepContext];
    const target = { baseDir: '/srv', nonce: 'n', lockWaitMs: 1_000 };
    assert.throws(() => fenced({ ...target, step: planning }, sh`true`), /"Look at it" writes on hosts/);
    assert.doesNotThrow(() => fenced({ ...target, step: doing }, sh`true`));
  });

  it('runs under an id of its own only, and an operation never does', async () => {
    const shelf = ulid();
    const planning = { plan: true, params: { shelf } };
    for (const id of [`client:${shelf}`, 'plan:mine', `plan:client:${shelf}`]) {
      const { cause } = await refusal(id, planning);
      assert.deepEqual([cause.type, /plan:<ulid>/.test(cause.message)], ['InvalidInput', true], id);
    }
    for (const input of [{ params: { shelf } }, { plan: 'yes', params: { shelf } }]) {
      const { cause } = await refusal(`plan:${ulid()}`, input);
      assert.match(cause.message, /belong to workflow id "client:/);
    }
    assert.equal(shelves.get(shelf), undefined);
  });

  it('refuses parameters that no operation of its kind can have', async () => {
    const { cause } = await refusal(`plan:${ulid()}`, { plan: true, params: { shelf: 7 } });
    assert.deepEqual([cause.type, cause.message], ['InvalidInput', '"shelf" must be a text']);
  });
});
