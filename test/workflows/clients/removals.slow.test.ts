import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { ulid } from 'ulid';
import { operations } from '../../../db/schema/index.js';
import { pollUntil } from '../../../process/poll.js';
import { DEFAULT_LIMITS } from '../../../worker/limits.js';
import { createWorker } from '../../../worker/worker.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import type { Hold, OperationView } from '../../../workflows/contract/operation/operation.js';
import { createStandIns } from '../../replay/stand-ins.js';
import { openServices, type Services, testBundle } from '../../support/services.js';

const taskQueue = 'removals';
const REMOVALS = ['vhost', 'containers', 'backup', 'files', 'database'];

describe('a removal', () => {
  let services: Services;
  let stop: () => Promise<void>;
  before(async () => {
    services = await openServices();
    const worker = await createWorker({
      connection: services.native,
      namespace: 'default',
      taskQueue,
      workflowBundle: await testBundle(),
      db: services.database.db,
      secrets: { redactChunk: (text) => text },
      limits: DEFAULT_LIMITS,
      retryWindowMs: 1_500,
      edits: {},
      activities: createStandIns(),
      log: { warn: () => undefined },
      inject(_point, { step }) {
        if (!REMOVALS.includes(step)) return Promise.resolve();
        return Promise.reject(failure('Unauthorized', 'the server is dead'));
      },
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

  it('has each of its steps skippable with a note, and each skipped one becomes a leftover', async () => {
    const id = ulid();
    const handle = await services.client.workflow.start('deleteClient', {
      workflowId: 'client:77',
      taskQueue,
      args: [
        {
          operation: { id, actor: 'tester', requestId: null },
          params: { clientId: 77, serverId: 1, keepBackup: true, keepDays: 30 },
        },
      ],
    });
    for (const [index, step] of REMOVALS.entries()) {
      const hold = await pollUntil<Hold>({
        what: `hold of ${step}`,
        deadlineMs: 15_000,
        everyMs: 50,
        probe: async () => {
          const view = await handle.query<OperationView, []>('view');
          return view.hold?.number === index + 1 ? view.hold : undefined;
        },
      });
      assert.deepEqual([hold.step, hold.until, hold.actions], [step, null, ['retry', 'skip']]);
      await handle.signal('skip', { note: 'it burnt down', hold: hold.number });
    }
    await handle.result();
    const { db } = services.database;
    const [row] = await db.select().from(operations).where(eq(operations.id, id));
    assert.equal(row?.state, 'succeeded_with_warnings');
    assert.deepEqual(
      row.leftovers.map(({ step }) => step),
      REMOVALS,
    );
    // no ledger has them: a clean-up would answer that nothing is left
    assert.ok(row.leftovers.every(({ remedy }) => remedy.startsWith('By hand')));
  });
});
