import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowStartOptions } from '@temporalio/client';
import { eq } from 'drizzle-orm';
import { ulid } from 'ulid';
import {
  auditLog,
  clients,
  idempotencyKeys,
  operations,
  operationEvents,
  secrets,
} from '../../../db/schema/index.js';
import { insertOperation } from '../../../db/queries/operation-starts.js';
import { SEARCH_ATTRIBUTES } from '../../../workflows/contract/search-attributes.js';
import type { Hold, OperationRequest } from '../../../workflows/contract/operation/operation.js';
import { type Harness, openHarness, pollUntil } from '../harness.js';

interface StartedBody {
  id: number;
  operation: { id: string; kind: string; state: string; href: string };
}

const HOLD: Hold = {
  number: 2,
  step: 'container',
  until: null,
  actions: ['retry', 'skip', 'rollback'],
  error: { kind: 'CommandFailed', message: 'docker compose up exited with 1' },
};

describe('starting and deciding operations', () => {
  let api: Harness;
  let serverId: number;
  let subdomains = 0;

  before(async () => {
    api = await openHarness({ temporal: 'worker' });
    const answer = await api.call('POST', '/servers/', {
      form: {
        name: 'web-1',
        host: '10.0.0.1',
        domain: 'clients.example.test',
        sql_user: 'backend',
        sql_password: 'sql secret',
      },
    });
    assert.equal(answer.status, 201, await answer.clone().text());
    serverId = ((await answer.json()) as { id: number }).id;
  });
  after(() => api.close());

  const fields = (changes: Record<string, string> = {}) => ({
    server_id: String(serverId),
    name: 'Acme',
    admin_login: 'jo',
    email: 'jo@acme.example',
    version_tag: '1.3-master',
    subdomain: `acme-${(subdomains += 1)}`,
    ...changes,
  });
  const create = async (form: Record<string, string> = fields(), headers: Record<string, string> = {}) => {
    const response = await api.call('POST', '/clients/', { form, headers });
    return { status: response.status, response, body: (await response.json()) as StartedBody };
  };
  const row = async (id: string) => (await api.db.select().from(operations).where(eq(operations.id, id)))[0];
  const running = (id: string) => pollUntil(async () => (await row(id))?.state === 'running');
  const handleOf = (client: number) => api.temporal.client.workflow.getHandle(`client:${client}`);
  const finish = async (client: number, operation: string) => {
    await handleOf(client).signal('finish');
    await pollUntil(async () => (await row(operation))?.endedAt != null);
  };

  /** Without a memo, as the CLI starts it. */
  const startByHand = (client: number, options: Partial<WorkflowStartOptions>, operation = {}) =>
    api.temporal.client.workflow.start('deleteClient', {
      ...options,
      workflowId: `client:${client}`,
      taskQueue: api.taskQueue,
      args: [{ operation, params: {} }],
    });
  const goOnAsNew = async (client: number) => {
    const { runId } = await handleOf(client).describe();
    await handleOf(client).signal('go-on-as-new');
    await pollUntil(async () => (await handleOf(client).describe()).runId !== runId);
  };

  const held = async () => {
    const { body } = await create();
    await running(body.operation.id);
    await api.db
      .update(operations)
      .set({ state: 'holding', hold: HOLD })
      .where(eq(operations.id, body.operation.id));
    return body;
  };

  it('answers 202 with the id and the operation, and starts the workflow under the operation id', async () => {
    const { status, response, body } = await create(fields({ password: 'first password' }));
    assert.equal(status, 202);
    assert.equal(response.headers.get('location'), body.operation.href);
    assert.equal(body.operation.href, `/operations/${body.operation.id}`);
    assert.equal(body.operation.kind, 'create_client');
    const description = await handleOf(body.id).describe();
    assert.equal(description.memo?.['operation'], body.operation.id);
    assert.equal(description.type, 'createClient');
    assert.equal(description.typedSearchAttributes.get(SEARCH_ATTRIBUTES.OpId), body.operation.id);
    assert.equal(description.typedSearchAttributes.get(SEARCH_ATTRIBUTES.ServerId), String(serverId));
    const [client] = await api.db.select().from(clients).where(eq(clients.id, body.id));
    assert.equal(client?.operationId, body.operation.id);
    assert.ok(client?.adminPassword);
    assert.equal(await api.secrets.reveal(api.db, client.adminPassword), 'first password');
    const audit = await api.db.select().from(auditLog).where(eq(auditLog.operationId, body.operation.id));
    assert.deepEqual(
      audit.map(({ actor, outcome }) => [actor, outcome]),
      [['admin:admin', 'starting']],
    );
    const read = await api.call('GET', body.operation.href);
    assert.ok(!(await read.text()).includes('first password'));
  });

  it('hands hold_window, in minutes, and on_failure to the workflow', async () => {
    const response = await api.call('POST', '/clients/?hold_window=0&on_failure=rollback', {
      form: fields(),
    });
    const requestOf = async (answer: Response) => {
      const { operation } = (await answer.json()) as StartedBody;
      const input = (await row(operation.id))?.input as { operation: OperationRequest } | undefined;
      assert.ok(input);
      return input.operation;
    };
    const { holdWindowMs, onFailure } = await requestOf(response);
    assert.deepEqual([holdWindowMs, onFailure], [0, 'rollback']);
    const longer = await api.call('POST', '/clients/?hold_window=45', { form: fields() });
    assert.equal((await requestOf(longer)).holdWindowMs, 45 * 60_000);
  });

  it('makes one operation of 50 equal requests with one key', async () => {
    const form = fields();
    const all = await Promise.all(
      Array.from({ length: 50 }, () => create(form, { 'Idempotency-Key': 'key-50' })),
    );
    assert.equal(
      new Set(all.map(({ body }) => body.operation.id)).size,
      1,
      JSON.stringify(all.map((one) => one.body)),
    );
    assert.equal(new Set(all.map(({ body }) => body.id)).size, 1);
    assert.equal(all.filter(({ status }) => status === 202).length, 1);
    assert.equal(all.filter(({ status }) => status === 200).length, 49);
    const rows = await api.db.select().from(clients).where(eq(clients.subdomain, form.subdomain));
    assert.equal(rows.length, 1);
  });

  it('makes one operation of 20 equal requests without a key', async () => {
    const form = fields();
    const all = await Promise.all(Array.from({ length: 20 }, () => create(form)));
    assert.equal(new Set(all.map(({ body }) => body.operation.id)).size, 1);
    assert.equal(all.filter(({ status }) => status === 202).length, 1);
  });

  it('refuses a key that was used with another body, and lets other routes use it', async () => {
    const form = fields();
    const first = await create(form, { 'Idempotency-Key': 'key-body' });
    const other = await create({ ...form, name: 'Other' }, { 'Idempotency-Key': 'key-body' });
    assert.equal(other.status, 422);
    assert.equal((other.body as unknown as { code: string }).code, 'idempotency_key_reused');
    await running(first.body.operation.id);
    await finish(first.body.id, first.body.operation.id);
    const deleted = await api.call('DELETE', `/clients/${first.body.id}`, {
      headers: { 'Idempotency-Key': 'key-body' },
    });
    assert.equal(deleted.status, 202);
    // also after its end the key finds the operation that it made
    const again = await create(form, { 'Idempotency-Key': 'key-body' });
    assert.equal(again.status, 200);
    assert.equal(again.body.operation.id, first.body.operation.id);
  });

  it('gives one key to one of two bodies that come at the same time', async () => {
    const headers = { 'Idempotency-Key': 'key-race' };
    const both = await Promise.all([create(fields(), headers), create(fields(), headers)]);
    assert.deepEqual(both.map(({ status }) => status).sort(), [202, 422]);
    assert.equal(
      (await api.db.select().from(idempotencyKeys).where(eq(idempotencyKeys.key, 'key-race'))).length,
      1,
    );
  });

  it('keeps no password of a request that was refused as busy', async () => {
    const { body } = await create();
    await running(body.operation.id);
    await finish(body.id, body.operation.id);
    const deletion = (await (await api.call('DELETE', `/clients/${body.id}`)).json()) as StartedBody;
    await running(deletion.operation.id);
    const stored = (await api.db.select().from(secrets)).length;
    const form = { password: 'never kept', confirm_password: 'never kept' };
    const response = await api.call('POST', `/clients/${body.id}/admin_password`, { form });
    assert.equal(response.status, 409);
    assert.equal((await api.db.select().from(secrets)).length, stored);
  });

  it('refuses a subdomain that another body has taken and writes nothing', async () => {
    const form = fields();
    const first = await create(form);
    const count = async () => (await api.db.select().from(operations)).length;
    const before = await count();
    const second = await create(
      { ...form, name: 'Other', password: 'never stored' },
      { 'Idempotency-Key': 'key-taken' },
    );
    assert.equal(second.status, 409);
    assert.equal((second.body as unknown as { code: string }).code, 'subdomain_taken');
    assert.equal(second.body.operation.id, first.body.operation.id);
    assert.equal(await count(), before);
    assert.equal(
      (await api.db.select().from(idempotencyKeys).where(eq(idempotencyKeys.key, 'key-taken'))).length,
      0,
    );
  });

  it('answers 409 with the running operation to another verb, and takes its row, key and secret back', async () => {
    const first = await create();
    await running(first.body.operation.id);
    const stored = (await api.db.select().from(secrets)).length;
    const response = await api.call('DELETE', `/clients/${first.body.id}`, {
      headers: { 'Idempotency-Key': 'key-busy' },
    });
    const problem = (await response.json()) as { code: string; operation: unknown };
    assert.equal(response.status, 409);
    assert.equal(problem.code, 'busy');
    assert.deepEqual(problem.operation, { ...first.body.operation, state: 'running' });
    const rows = await api.db
      .select()
      .from(operations)
      .where(eq(operations.subject, `client:${first.body.id}`));
    assert.deepEqual(
      rows.map(({ id }) => id),
      [first.body.operation.id],
    );
    assert.equal(
      (await api.db.select().from(idempotencyKeys).where(eq(idempotencyKeys.key, 'key-busy'))).length,
      0,
    );
    assert.equal((await api.db.select().from(secrets)).length, stored);
    const audit = await api.db
      .select()
      .from(auditLog)
      .where(eq(auditLog.subject, `client:${first.body.id}`));
    assert.ok(audit.some(({ outcome }) => outcome === 'busy'));
  });

  it('answers an equal delete with the one that runs', async () => {
    const { body } = await create();
    await running(body.operation.id);
    await finish(body.id, body.operation.id);
    const both = [
      await api.call('DELETE', `/clients/${body.id}`),
      await api.call('DELETE', `/clients/${body.id}`),
    ];
    assert.deepEqual(
      both.map(({ status }) => status),
      [202, 200],
    );
    const [one, two] = (await Promise.all(both.map((response) => response.json()))) as StartedBody[];
    assert.equal(one?.operation.id, two?.operation.id);
    const other = await api.call('DELETE', `/clients/${body.id}?keep_backup=false`);
    assert.equal(other.status, 409);
  });

  it('waits for a holder whose end is already recorded', async () => {
    const { body } = await create();
    await running(body.operation.id);
    await handleOf(body.id).signal('finish');
    await pollUntil(async () => (await row(body.operation.id))?.endedAt != null);
    // the workflow lives 300 ms longer than its recorded end
    assert.equal((await handleOf(body.id).describe()).status.name, 'RUNNING');
    const response = await api.call('DELETE', `/clients/${body.id}`);
    assert.equal(response.status, 202, await response.clone().text());
  });

  it('is busy, and takes its row back, where a workflow that was started by hand holds the subject', async () => {
    const { body } = await create();
    await running(body.operation.id);
    await finish(body.id, body.operation.id);
    await handleOf(body.id).result();
    const byHand = await startByHand(body.id, {});
    const response = await api.call('DELETE', `/clients/${body.id}`);
    const problem = (await response.json()) as { code: string; operation: { id: string } };
    assert.deepEqual([response.status, problem.code], [409, 'busy']);
    assert.equal(problem.operation.id, byHand.firstExecutionRunId);
    const left = await api.db
      .select({ id: operations.id })
      .from(operations)
      .where(eq(operations.subject, `client:${body.id}`));
    assert.deepEqual(left, [{ id: body.operation.id }]);
    await byHand.terminate();
  });

  it('is busy with the operation that a workflow started by hand has announced', async () => {
    const { body } = await create();
    await running(body.operation.id);
    await handleOf(body.id).terminate();
    const { runId: _its, ...made } = (await row(body.operation.id)) ?? assert.fail();
    const id = ulid();
    await api.db.insert(operations).values({ ...made, id });
    const typedSearchAttributes = [{ key: SEARCH_ATTRIBUTES.OpId, value: id }];
    const byHand = await startByHand(body.id, { typedSearchAttributes });
    const response = await api.call('DELETE', `/clients/${body.id}`);
    const problem = (await response.json()) as { code: string; operation: { id: string } };
    assert.deepEqual([response.status, problem.operation.id], [409, id]);
    await byHand.terminate();
  });

  it('waits for a holder whose end is already recorded, also behind continue-as-new', async () => {
    const { body } = await create();
    await running(body.operation.id);
    await goOnAsNew(body.id);
    await finish(body.id, body.operation.id);
    assert.equal((await handleOf(body.id).describe()).status.name, 'RUNNING');
    const response = await api.call('DELETE', `/clients/${body.id}`);
    assert.equal(response.status, 202, await response.clone().text());
  });

  it('starts a row whose start was left unconfirmed, under its own id', async () => {
    const { body } = await create();
    await running(body.operation.id);
    await finish(body.id, body.operation.id);
    await pollUntil(async () => (await handleOf(body.id).describe()).status.name === 'COMPLETED');
    const deletion = await api.call('DELETE', `/clients/${body.id}`);
    const { operation } = (await deletion.json()) as StartedBody;
    const made = await row(operation.id);
    assert.ok(made);
    await running(operation.id);
    await finish(body.id, operation.id);
    await pollUntil(async () => (await handleOf(body.id).describe()).status.name === 'COMPLETED');
    // as a crash between commit and start leaves it
    const left = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
    const input = made.input as { operation: object; params: object };
    await api.db.transaction((tx) =>
      insertOperation(tx, {
        ...made,
        id: left,
        state: 'starting',
        runId: null,
        confirmedAt: null,
        endedAt: null,
        input: { ...input, operation: { ...input.operation, id: left } },
      }),
    );
    const again = await api.call('DELETE', `/clients/${body.id}`);
    assert.equal(again.status, 200);
    assert.equal(((await again.json()) as StartedBody).operation.id, left);
    await running(left);
  });

  it('hands a password to the running create, by reference only', async () => {
    const { body } = await create();
    await running(body.operation.id);
    const response = await api.call('POST', `/clients/${body.id}/admin_password`, {
      form: { password: 'second password', confirm_password: 'second password' },
    });
    assert.equal(response.status, 202);
    assert.equal(((await response.json()) as StartedBody).operation.id, body.operation.id);
    const [payload] = await pollUntil(async () => {
      const received = await handleOf(body.id).query<{ password: string }[]>('passwords');
      return received.length > 0 ? received : undefined;
    });
    assert.ok(payload);
    assert.equal(await api.secrets.reveal(api.db, payload.password), 'second password');
    const history = JSON.stringify(await handleOf(body.id).fetchHistory());
    assert.ok(!history.includes('second password'));
    assert.ok(!history.includes(Buffer.from('second password').toString('base64').slice(0, 18)));
  });

  it('sets a password that the create was just too late to hear by an operation of its own', async () => {
    const { body } = await create();
    await running(body.operation.id);
    await api.db.update(clients).set({ status: 'active' }).where(eq(clients.id, body.id));
    await handleOf(body.id).signal('deaf');
    const form = { password: 'late password', confirm_password: 'late password' };
    const response = await api.call('POST', `/clients/${body.id}/admin_password`, { form });
    assert.equal(response.status, 202);
    assert.equal(((await response.json()) as StartedBody).operation.kind, 'set_admin_password');
  });

  it('sets the password by an operation of its own once the create has ended', async () => {
    const { body } = await create();
    await running(body.operation.id);
    await finish(body.id, body.operation.id);
    const form = { password: 'third password', confirm_password: 'third password' };
    const response = await api.call('POST', `/clients/${body.id}/admin_password`, { form });
    assert.equal(response.status, 202);
    const { operation } = (await response.json()) as StartedBody;
    assert.equal(operation.kind, 'set_admin_password');
    const different = await api.call('POST', `/clients/${body.id}/admin_password`, {
      form: { ...form, confirm_password: 'no' },
    });
    assert.equal(different.status, 422);
  });

  describe('decisions', () => {
    it('sends operation, hold, actor and note to the exact run and answers once it is recorded', async () => {
      const { operation } = await held();
      const response = await api.call('POST', `${operation.href}/retry`, { form: { note: 'disk freed' } });
      assert.equal(response.status, 200, await response.clone().text());
      const { decision } = (await response.json()) as { decision: Record<string, unknown> };
      assert.equal(decision['accepted'], true);
      assert.equal(decision['hold'], HOLD.number);
      assert.equal(decision['actor'], 'admin:admin');
      assert.equal(decision['note'], 'disk freed');
      const audit = await api.db.select().from(auditLog).where(eq(auditLog.operationId, operation.id));
      assert.ok(audit.some(({ outcome }) => outcome === 'sent'));
    });

    it('answers 409 to an ignored one, and past_commit by its own code', async () => {
      const { operation } = await held();
      const codes: string[] = [];
      for (const note of ['wrong', 'too late']) {
        const response = await api.call('POST', `${operation.href}/rollback`, { json: { note } });
        assert.equal(response.status, 409);
        codes.push(((await response.json()) as { code: string }).code);
      }
      assert.deepEqual(codes, ['decision_ignored', 'past_commit']);
    });

    it('demands a note for skip, a hold for retry, and an operation that runs', async () => {
      const { id, operation } = await held();
      assert.equal((await api.call('POST', `${operation.href}/skip`, { form: { note: '' } })).status, 422);
      await api.db
        .update(operations)
        .set({ state: 'running', hold: null })
        .where(eq(operations.id, operation.id));
      const unheld = await api.call('POST', `${operation.href}/retry`, { json: {} });
      assert.equal(((await unheld.json()) as { code: string }).code, 'not_holding');
      await finish(id, operation.id);
      for (const action of ['retry', 'cancel']) {
        const ended = await api.call('POST', `${operation.href}/${action}`, { json: {} });
        assert.equal(ended.status, 409);
        assert.equal(((await ended.json()) as { code: string }).code, 'operation_ended');
      }
      assert.equal(
        (await api.call('POST', '/operations/01ARZ3NDEKTSV4RRFFQ69G5FA0/retry', { json: {} })).status,
        404,
      );
    });

    it('reach an operation in the newest run of its chain, also one that was started by hand', async () => {
      const { id, operation } = await held();
      await handleOf(id).terminate();
      await api.db.update(operations).set({ runId: null }).where(eq(operations.id, operation.id));
      await startByHand(id, {}, { id: operation.id });
      await pollUntil(async () => (await row(operation.id))?.runId != null);
      await goOnAsNew(id);
      await api.db
        .update(operations)
        .set({ state: 'holding', hold: HOLD })
        .where(eq(operations.id, operation.id));
      const response = await api.call('POST', `${operation.href}/retry`, { json: {} });
      assert.equal(response.status, 200, await response.clone().text());
    });

    it('answers past_commit also to a second cancel that comes too late', async () => {
      const { operation } = await held();
      await api.db
        .update(operations)
        .set({
          decisions: [
            {
              ...{ action: 'cancel', time: new Date().toISOString(), actor: 'admin:admin' },
              ...{ accepted: false, ignored: 'past_commit' },
            },
          ],
        })
        .where(eq(operations.id, operation.id));
      const response = await api.call('POST', `${operation.href}/cancel`, { json: {} });
      assert.equal(response.status, 409, await response.clone().text());
      assert.equal(((await response.json()) as { code: string }).code, 'past_commit');
    });

    it('cancels the run', async () => {
      const { id, operation } = await held();
      const response = await api.call('POST', `${operation.href}/cancel`, { json: {} });
      assert.equal(response.status, 202);
      await pollUntil(async () => (await handleOf(id).describe()).status.name === 'CANCELLED');
    });
  });

  describe('reading', () => {
    it('answers a long poll at the next change, or at once when the caller is behind', async () => {
      const { id, body } = await create().then(({ body: made }) => ({ id: made.id, body: made }));
      await running(body.operation.id);
      const first = await api.call('GET', body.operation.href);
      const etag = first.headers.get('etag') ?? '';
      const began = Date.now();
      const waiting = api.call('GET', body.operation.href, {
        headers: { Prefer: 'wait=20', 'If-None-Match': etag },
      });
      await finish(id, body.operation.id);
      const answer = (await (await waiting).json()) as { state: string };
      assert.equal(answer.state, 'succeeded');
      assert.ok(Date.now() - began < 5_000);
      const behind = await api.call('GET', body.operation.href, {
        headers: { Prefer: 'wait=20', 'If-None-Match': etag },
      });
      assert.equal(behind.status, 200);
      assert.ok(Date.now() - began < 6_000);
    });

    it('asks a running operation live', async () => {
      const { body } = await create();
      await running(body.operation.id);
      const answer = (await (await api.call('GET', body.operation.href)).json()) as {
        source: string;
        title: string;
      };
      assert.equal(answer.source, 'live');
      assert.equal(answer.title, 'asked just now');
    });

    it('shows the createlog in order, resumable, completed by the end', async () => {
      const { body } = await create();
      await running(body.operation.id);
      const lines = ['one', 'two', 'three'].map((message, index) => ({
        operationId: body.operation.id,
        seq: index + 1,
        key: message,
        type: 'step_done',
        step: 'database',
        message,
        level: 'info' as const,
      }));
      await api.db.insert(operationEvents).values(lines);
      const read = async (query = '') =>
        (await (await api.call('GET', `/clients/${body.id}/createlog${query}`)).json()) as {
          completed: string | null;
          log: { message: string }[];
          error?: string;
        };
      const all = await read();
      assert.deepEqual(
        all.log.map(({ message }) => message),
        ['one', 'two', 'three'],
      );
      assert.equal(all.completed, null);
      assert.deepEqual(
        (await read('?after=2')).log.map(({ message }) => message),
        ['three'],
      );
      assert.deepEqual(
        (await read('?limit=1')).log.map(({ message }) => message),
        ['three'],
      );
      await finish(body.id, body.operation.id);
      assert.equal((await read()).completed, 'ok');
      await api.db
        .update(operations)
        .set({ state: 'rolled_back' })
        .where(eq(operations.id, body.operation.id));
      const failed = await read();
      assert.equal(failed.completed, 'error');
      assert.ok(failed.error);
    });

    it('shows the newest 1,000 lines of the createlog unless asked for others', async () => {
      const { body } = await create();
      await running(body.operation.id);
      const lines = Array.from({ length: 1_003 }, (_, index) => ({
        operationId: body.operation.id,
        seq: index + 1,
        key: `line-${index + 1}`,
        type: 'step_done',
        step: 'database',
        message: `line ${index + 1}`,
        level: 'info' as const,
      }));
      await api.db.insert(operationEvents).values(lines);
      const answer = await api.call('GET', `/clients/${body.id}/createlog`);
      const { log } = (await answer.json()) as { log: { message: string }[] };
      assert.deepEqual([log.length, log[0]?.message, log.at(-1)?.message], [1_000, 'line 4', 'line 1003']);
    });

    it('pages through the list by cursor', async () => {
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const query: string = cursor === null ? '' : `&cursor=${cursor}`;
        const response = await api.call('GET', `/operations?kind=create_client&limit=4${query}`);
        const page = (await response.json()) as { data: { id: string }[]; cursor: string | null };
        assert.ok(page.data.length <= 4);
        assert.equal(response.headers.has('link'), page.cursor !== null);
        seen.push(...page.data.map(({ id }) => id));
        cursor = page.cursor;
      } while (cursor !== null);
      assert.deepEqual(seen, [...new Set(seen)].sort().toReversed());
      const all = await api.db.select().from(operations).where(eq(operations.kind, 'create_client'));
      assert.equal(seen.length, all.length);
      assert.equal((await api.call('GET', '/operations?state=nonsense')).status, 422);
    });
  });

  it('creates a failed client again, and only a failed one', async () => {
    const form = fields();
    const { body } = await create(form);
    await running(body.operation.id);
    await finish(body.id, body.operation.id);
    await pollUntil(async () => (await handleOf(body.id).describe()).status.name === 'COMPLETED');
    await api.db.update(clients).set({ status: 'failed' }).where(eq(clients.id, body.id));
    const form2 = { ...form, id: String(body.id), version_tag: '1.4-master' };
    const again = await create(form2);
    assert.equal(again.status, 202);
    assert.equal(again.body.id, body.id);
    assert.notEqual(again.body.operation.id, body.operation.id);
    const repeated = await create(form2);
    assert.equal(repeated.status, 200);
    assert.equal(repeated.body.operation.id, again.body.operation.id);
    const [client] = await api.db.select().from(clients).where(eq(clients.id, body.id));
    assert.equal(client?.versionTag, '1.4-master');
    assert.equal(client?.status, 'creating');
  });
});
