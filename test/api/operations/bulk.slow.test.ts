import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eq, inArray } from 'drizzle-orm';
import { ulid } from 'ulid';
import { auditLog, operations, operationUndos } from '../../../db/schema/index.js';
import type { Hold } from '../../../workflows/contract/operation/operation.js';
import { type Harness, openHarness, pollUntil } from '../harness.js';

interface Answer {
  results: {
    id: string;
    subject: string;
    outcome: string;
    code?: string;
    detail?: string;
    operation?: { id: string };
  }[];
  cursor: string | null;
}
interface Refusal {
  code: string;
  errors: { field: string; message: string }[];
}

const HOLD: Hold = {
  number: 1,
  step: 'container',
  until: null,
  actions: ['retry', 'skip', 'rollback'],
  error: { kind: 'CommandFailed', message: 'docker compose up exited with 1' },
};

describe('POST /operations/bulk', () => {
  let api: Harness;
  let serverId: number;
  let made = 0;

  before(async () => {
    api = await openHarness({ temporal: 'worker' });
    const form = {
      name: 'w',
      host: '10.0.0.7',
      domain: 'c.example.test',
      sql_user: 'u',
      sql_password: 'a password',
    };
    const answer = await api.call('POST', '/servers', { form });
    serverId = ((await answer.json()) as { id: number }).id;
  });
  after(() => api.close());

  const start = async () => {
    made += 1;
    const form = { server_id: String(serverId), name: 'A', admin_login: 'jo', email: 'jo@a.example' };
    const response = await api.call('POST', '/clients', {
      form: { ...form, version_tag: '1.3-master', subdomain: `bulk-${made}` },
    });
    const { id, operation } = (await response.json()) as { id: number; operation: { id: string } };
    await pollUntil(async () => (await row(operation.id))?.state === 'running');
    return { client: id, id: operation.id };
  };
  const row = async (id: string) => (await api.db.select().from(operations).where(eq(operations.id, id)))[0];
  const hold = (...ids: string[]) =>
    api.db.update(operations).set({ state: 'holding', hold: HOLD }).where(inArray(operations.id, ids));
  const finish = async ({ client, id }: { client: number; id: string }) => {
    await api.temporal.client.workflow.getHandle(`client:${client}`).signal('finish');
    await pollUntil(async () => (await row(id))?.endedAt != null);
  };
  const bulk = async (json: unknown) => {
    const response = await api.call('POST', '/operations/bulk', { json });
    assert.equal(response.status, 200, await response.clone().text());
    return (await response.json()) as Answer;
  };
  const refused = async (json: unknown) => {
    const response = await api.call('POST', '/operations/bulk', { json });
    assert.equal(response.status, 422);
    return (await response.json()) as Refusal;
  };
  const decisions = async (id: string) => (await row(id))?.decisions.length ?? 0;

  it('answers one outcome per operation, by the rules of the single routes', async () => {
    const [held, running, ended] = [await start(), await start(), await start()];
    await finish(ended);
    await hold(held.id);
    const { results } = await bulk({
      action: 'retry',
      ids: [held.id, running.id, ended.id],
      note: 'disk freed',
    });
    assert.deepEqual(
      results.map(({ id, subject, outcome, code }) => [id, subject, outcome, code]),
      [
        [held.id, `client:${held.client}`, 'accepted', undefined],
        [running.id, `client:${running.client}`, 'refused', 'not_holding'],
        [ended.id, `client:${ended.client}`, 'refused', 'operation_ended'],
      ],
    );
    const [decision] = (await row(held.id))?.decisions ?? [];
    assert.deepEqual([decision?.note, decision?.actor, decision?.hold], ['disk freed', 'admin:admin', 1]);
    const audit = await api.db.select().from(auditLog).where(eq(auditLog.operationId, held.id));
    assert.ok(audit.some(({ outcome, route }) => outcome === 'sent' && route === 'POST /operations/bulk'));
  });

  it('names an unknown operation and does nothing', async () => {
    const { id } = await start();
    await hold(id);
    const unknown = ulid();
    const { errors } = await refused({ action: 'rollback', ids: [id, unknown] });
    assert.deepEqual(errors, [{ field: 'ids.1', message: `there is no operation ${unknown}` }]);
    const bad = await refused({ action: 'rollback', ids: [id, 'nonsense'] });
    assert.equal(bad.errors[0]?.field, 'ids.1');
    assert.equal(await decisions(id), 0);
  });

  it('takes those that a filter finds and that have not ended', async () => {
    const [one, two, other, ended] = [await start(), await start(), await start(), await start()];
    await finish(ended);
    await hold(one.id, two.id);
    const subject = await bulk({ action: 'retry', filter: { subject: `client:${one.client}` } });
    assert.deepEqual(
      subject.results.map(({ id, outcome }) => [id, outcome]),
      [[one.id, 'accepted']],
    );
    const { results, cursor } = await bulk({
      action: 'retry',
      filter: { server: serverId, state: 'holding' },
    });
    assert.ok(results.some(({ id }) => id === two.id));
    assert.ok(!results.some(({ id }) => id === other.id || id === ended.id));
    assert.equal(cursor, null);
    const open = await bulk({ action: 'retry', filter: { client: ended.client } });
    assert.deepEqual(open.results, []);
  });

  it('takes an operation that is named twice once', async () => {
    const { id } = await start();
    await hold(id);
    const { results } = await bulk({ action: 'retry', ids: [id, id] });
    assert.deepEqual(
      results.map(({ outcome }) => outcome),
      ['accepted'],
    );
    assert.equal(await decisions(id), 1);
  });

  it('cancels many', async () => {
    const both = [await start(), await start()];
    const { results } = await bulk({ action: 'cancel', ids: both.map(({ id }) => id) });
    assert.deepEqual(
      results.map(({ outcome }) => outcome),
      ['pending', 'pending'],
    );
    for (const { client } of both) {
      const handle = api.temporal.client.workflow.getHandle(`client:${client}`);
      await pollUntil(async () => (await handle.describe()).status.name === 'CANCELLED');
    }
  });

  it('takes at most 200, newest first, and says where to go on', async () => {
    const rows = Array.from({ length: 201 }, () => ({
      id: ulid(),
      kind: 'many',
      subject: `client:${ulid()}`,
      state: 'running' as const,
      title: 'Many',
      actor: 'x',
      input: {},
    }));
    await api.db.insert(operations).values(rows);
    const ids = rows
      .map(({ id }) => id)
      .sort()
      .toReversed();
    const first = await bulk({ action: 'retry', filter: { kind: 'many' } });
    assert.deepEqual(
      first.results.map(({ id }) => id),
      ids.slice(0, 200),
    );
    assert.ok(
      first.results.every(({ code }) => code === 'operation_ended'),
      'Temporal knows none of them',
    );
    const rest = await bulk({ action: 'retry', filter: { kind: 'many', cursor: first.cursor } });
    assert.deepEqual(
      rest.results.map(({ id }) => id),
      ids.slice(200),
    );
    assert.equal(rest.cursor, null);
    assert.equal((await refused({ action: 'retry', ids })).errors[0]?.field, 'ids');
  });

  it('wants ids or a filter that narrows, an action, and a note to skip', async () => {
    const { id } = await start();
    const fields = async (json: unknown) => (await refused(json)).errors.map(({ field }) => field);
    assert.deepEqual(await fields({ action: 'retry' }), ['ids']);
    assert.deepEqual(await fields({ action: 'retry', ids: [id], filter: { kind: 'x' } }), ['ids']);
    assert.deepEqual(await fields({ action: 'retry', ids: [] }), ['ids']);
    assert.deepEqual(await fields({ action: 'retry', filter: {} }), ['filter']);
    assert.deepEqual(await fields({ action: 'retry', filter: { cursor: id } }), ['filter']);
    assert.deepEqual(await fields({ action: 'retry', filter: { kind: 'x', knid: 'x' } }), ['filter']);
    assert.deepEqual(await fields({ action: 'retry', filter: { state: 'nonsense' } }), ['filter.state']);
    assert.deepEqual(await fields({ action: 'terminate', ids: [id] }), ['action']);
    assert.deepEqual(await fields({ action: 'skip', ids: [id] }), ['note']);
    assert.equal(await decisions(id), 0);
  });

  it('cleans up what those that have ended have left, and refuses where nothing is left', async () => {
    const ended = async (state: 'rollback_incomplete' | 'succeeded') => {
      const id = ulid();
      const common = { kind: 'leaving', title: 'Leaving', actor: 'x', input: {}, startedAt: new Date() };
      const subject = `client:${id}`;
      await api.db.insert(operations).values({ id, subject, state, ...common, endedAt: new Date() });
      return { id, subject };
    };
    const [left, clean] = [await ended('rollback_incomplete'), await ended('succeeded')];
    const undo = { id: 'one#1', seq: 1, step: 'one', title: 'one', activity: 'test.unmake', input: {} };
    await api.db.insert(operationUndos).values({ operationId: left.id, ...undo, state: 'failed' });
    const { results } = await bulk({ action: 'cleanup', ids: [left.id, clean.id] });
    assert.deepEqual(
      results.map(({ outcome, code }) => [outcome, code]),
      [
        ['accepted', undefined],
        ['refused', 'nothing_left'],
      ],
    );
    const run = api.temporal.client.workflow.getHandle(left.subject);
    assert.equal((await run.describe()).memo?.['operation'], results[0]?.operation?.id);
    const found = await bulk({ action: 'cleanup', filter: { kind: 'leaving' } });
    assert.deepEqual(
      found.results.map(({ id }) => id),
      [left.id],
    );
    assert.equal(found.results[0]?.operation?.id, results[0]?.operation?.id, 'the one that runs');
    await run.terminate('end of test');
  });

  it('takes forms: lists and filters as JSON texts', async () => {
    const { id } = await start();
    await hold(id);
    const form = { action: 'skip', ids: JSON.stringify([id]), note: 'made by hand' };
    const response = await api.call('POST', '/operations/bulk', { form });
    assert.equal(response.status, 200, await response.clone().text());
    assert.equal(((await response.json()) as Answer).results[0]?.outcome, 'accepted');
  });
});
