import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq } from 'drizzle-orm';
import { ulid } from 'ulid';
import { idempotencyKeys, operations } from '../../../db/schema/index.js';
import { requireKind } from '../../../workflows/contract/kinds.js';
import { startRequest } from '../../../workflows/contract/operation/start.js';
import { openScriptedSystem, type ScriptedSystem } from '../../support/scripted-world.js';
import { sweep } from '../../support/sweep.js';

describe('rows unconfirmed after 2 minutes', () => {
  let system: ScriptedSystem;
  before(async () => {
    system = await openScriptedSystem();
  });
  after(() => system?.close());

  /** A start that the API has recorded, and no answer came to. */
  async function record({ ageMs, clientId }: { ageMs: number; clientId: number }) {
    const id = ulid();
    const params = { clientId, serverId: 1, keepBackup: false, keepDays: 0 };
    const [row] = await system.database.db
      .insert(operations)
      .values({
        ...{ id, kind: 'delete_client', subject: `client:${clientId}`, title: 'Delete' },
        ...{ state: 'starting', actor: 'tester', startedAt: new Date(Date.now() - ageMs) },
        input: { operation: { id, actor: 'tester', requestId: null, title: 'Delete' }, params },
      })
      .returning();
    assert.ok(row);
    await system.database.db.insert(idempotencyKeys).values({
      ...{ key: id, route: 'DELETE', actor: 'tester', bodyDigest: 'x' },
      ...{ operationId: id, subjectId: String(clientId) },
    });
    return row;
  }

  const find = async (id: string) =>
    (await system.database.db.select().from(operations).where(eq(operations.id, id)))[0];
  const start = (row: Parameters<typeof startRequest>[0]) =>
    system.client.workflowService.startWorkflowExecution(
      startRequest(row, requireKind(row.kind), {
        namespace: 'default',
        taskQueue: system.taskQueue,
        identity: 'test',
      }),
    );
  const end = (subject: string) => system.client.workflow.getHandle(subject).terminate('end of the test');
  const clientIdOf = () => 1_000_000_000 + Math.floor(Math.random() * 1_000_000_000);

  it('are started under the same id, once', async () => {
    const row = await record({ ageMs: 121_000, clientId: clientIdOf() });
    await sweep(system.client, system.taskQueue);
    assert.ok((await find(row.id))?.confirmedAt);
    const description = await system.client.workflow.getHandle(row.subject).describe();
    assert.equal(description.memo?.['operation'], row.id);
    // whoever asks again, under the same request id, gets the same run
    const again = await start(row);
    assert.equal(again.runId, description.runId);
    await end(row.subject);
  });

  it('are confirmed when their start has arrived after all', async () => {
    await system.stopWorker();
    const row = await record({ ageMs: 121_000, clientId: clientIdOf() });
    const { runId } = await start(row);
    await system.startWorker();
    await sweep(system.client, system.taskQueue);
    assert.ok((await find(row.id))?.confirmedAt);
    assert.equal((await system.client.workflow.getHandle(row.subject).describe()).runId, runId);
    await end(row.subject);
  });

  it('are taken back with their key when somebody else has the subject', async () => {
    const clientId = clientIdOf();
    const row = await record({ ageMs: 121_000, clientId });
    const other = await record({ ageMs: 0, clientId });
    await start(other);
    await sweep(system.client, system.taskQueue);
    assert.equal(await find(row.id), undefined);
    const { db } = system.database;
    const keys = await db.select().from(idempotencyKeys).where(eq(idempotencyKeys.operationId, row.id));
    assert.deepEqual(keys, []);
    assert.ok(await find(other.id));
    await end(other.subject);
  });

  it('are left to their caller before that', async () => {
    const row = await record({ ageMs: 60_000, clientId: clientIdOf() });
    await sweep(system.client, system.taskQueue);
    assert.equal((await find(row.id))?.confirmedAt, null);
    await assert.rejects(system.client.workflow.getHandle(row.subject).describe(), /not found/i);
  });
});
