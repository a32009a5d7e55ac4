import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { count, eq } from 'drizzle-orm';
import { clients, operations } from '../../../db/schema/index.js';
import type { OperationView } from '../../../workflows/contract/operation/operation.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { assertHealthy, removeClient } from '../../support/client-checks.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { type Answer, clientFields, openSystem, type System } from '../../support/system.js';

interface Reference {
  id: string;
  kind: string;
  href: string;
}

describe('starts that meet', { skip: noLab }, () => {
  let system: System;
  let serverId: number;
  /** creates wait before their second step until it is open */
  let gate: Promise<void> | undefined;
  const host = noLab === false ? sharedHost('maria') : (undefined as never);

  before(async () => {
    system = await openSystem({ slot: 30, inject: waitAtGate });
    serverId = await system.addServer(host);
  });
  after(() => system?.close());

  async function waitAtGate(point: 'before' | 'after', { step }: StepContext): Promise<void> {
    if (point === 'before' && step === 'check-host') await gate;
  }

  it('fifty equal creates under one Idempotency-Key are one operation and one client', async () => {
    const fields = clientFields(serverId);
    const headers = { 'idempotency-key': 'double-click-50' };
    const post = () => system.call('POST', '/clients/', fields, headers);
    const answers = await Promise.all(Array.from({ length: 50 }, post));
    assert.deepEqual(
      answers.map(({ status }) => status).sort(),
      [...Array<number>(49).fill(200), 202],
      JSON.stringify(answers.find(({ status }) => status > 202)?.body),
    );
    const [id, ...otherIds] = new Set(answers.map(({ body }) => Number(body['id'])));
    const [operation, ...others] = new Set(answers.map((answer) => referenceOf(answer).id));
    assert.deepEqual([otherIds, others], [[], []]);
    const view = await system.ended(String(operation));
    await assertHealthy({ system, host, id: Number(id), view });
    assert.equal(await runsOn(`client:${id}`), 1);
    const { db } = system.database;
    assert.deepEqual(await db.select({ n: count() }).from(clients).where(eq(clients.serverId, serverId)), [
      { n: 1 },
    ]);
    assert.deepEqual(await db.select({ n: count() }).from(operations), [{ n: 1 }]);

    const late = await post();
    assert.deepEqual([late.status, referenceOf(late).id], [200, operation]);
    const other = await system.call('POST', '/clients/', { ...fields, city: 'Elsewhere' }, headers);
    assert.deepEqual([other.status, other.body['code']], [422, 'idempotency_key_reused']);
    await removeClient(system, host, Number(id));
  });

  it('a delete while the create runs is refused and names the create', async () => {
    let open = (): void => undefined;
    gate = new Promise((resolve) => {
      open = resolve;
    });
    const { id, operation } = await system.addClient(serverId);
    const stands = ({ steps }: OperationView) =>
      steps.some(({ key, state }) => key === 'check-host' && state === 'running');
    await system.until(operation, 'gate', stands);
    const { status, body } = await system.call('DELETE', `/clients/${id}`);
    assert.deepEqual([status, body['code']], [409, 'busy'], JSON.stringify(body));
    const { state: _, ...holder } = body['operation'] as unknown as Reference & { state: string };
    assert.deepEqual(holder, { id: operation, kind: 'create_client', href: `/operations/${operation}` });
    assert.equal((await system.call('GET', holder.href)).body['id'], operation);
    open();
    await assertHealthy({ system, host, id, view: await system.ended(operation) });
    await removeClient(system, host, id);
  });

  it('of two different operations that start at once one runs, and the other one is told which', async () => {
    const { id, operation } = await system.addClient(serverId);
    assert.equal((await system.ended(operation)).state, 'succeeded');
    const password = { password: 'Another-horse-8', confirm_password: 'Another-horse-8' };
    const answers = await Promise.all([
      system.call('DELETE', `/clients/${id}?keep_backup=false`),
      system.call('POST', `/clients/${id}/admin_password`, password),
    ]);
    const [started, ...alsoStarted] = answers.filter(({ status }) => status === 202);
    assert.ok(
      started !== undefined && alsoStarted.length === 0,
      JSON.stringify(answers.map(({ body }) => body)),
    );
    const refused = answers.find(({ status }) => status === 409);
    const { id: winner, kind, href } = referenceOf(started);
    const { state: _, ...told } = referenceOf(refused as Answer) as Reference & { state?: string };
    assert.deepEqual(told, { id: winner, kind, href });
    assert.equal((await system.ended(winner)).state, 'succeeded');
    if (kind !== 'delete_client') await removeClient(system, host, id);
  });

  async function runsOn(workflowId: string): Promise<number> {
    return (
      await system.client.workflow.count(`WorkflowId = '${workflowId}' and TaskQueue = '${system.taskQueue}'`)
    ).count;
  }
});

function referenceOf({ body }: Answer): Reference {
  return body['operation'] as unknown as Reference;
}
