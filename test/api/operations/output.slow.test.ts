import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { eq, sum, sql } from 'drizzle-orm';
import { ulid } from 'ulid';
import { notify } from '../../../activities/operation/operation-log.js';
import { createStepOutput, OUTPUT_KEPT_BYTES } from '../../../activities/operation/step-output.js';
import { operationOutput, operations, operationSteps } from '../../../db/schema/index.js';
import type { Tx } from '../../../db/database.js';
import { readOutputPage } from '../../../db/queries/operation-output.js';
import { insertOperation } from '../../../db/queries/operation-starts.js';
import type { StepState } from '../../../workflows/contract/operation/operation.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { readEvents, type Received } from '../../support/event-source.js';
import { type Harness, openHarness } from '../harness.js';

interface Page {
  step: string;
  text: string;
  cursor: number;
  complete: boolean;
}

/** what this connection has read of the table, as Postgres counts it */
async function readsOf(tx: Tx): Promise<{ scans: number; rows: number }> {
  const [counted] = await tx.execute<{ scans: number; rows: number }>(sql`
    select seq_scan::int as scans, idx_tup_fetch::int as rows
    from pg_stat_xact_user_tables where relname = 'operation_output'`);
  assert.ok(counted);
  return counted;
}

const CHUNK = 32 * 1024;
const MARK = /\n… (\d+) bytes are cut here …\n/g;

describe('GET /operations/{id}/output', () => {
  let api: Harness;
  before(async () => {
    api = await openHarness({ temporal: 'none' });
  });
  after(() => api.close());

  const make = async (state: StepState = 'running') => {
    const operation = ulid();
    const subject = `client:${operation}`;
    const common = { kind: 'create_client', title: 'Create', actor: 'admin:admin', input: {} };
    await api.db.transaction((tx) =>
      insertOperation(tx, { id: operation, subject, state: 'running', ...common }),
    );
    const row = { key: 'image', title: 'image', state, seq: 1, attempt: 1, try: 1, startedAt: new Date() };
    await api.db.insert(operationSteps).values({ operationId: operation, ...row });
    const write = createStepOutput({ db: api.db, secrets: api.secrets })({
      operation,
      subject,
      step: 'image',
    } as StepContext);
    let offset = 0;
    return {
      operation,
      write,
      /** what the job prints next */
      async print(text: string, job = 'job-1', from = offset): Promise<void> {
        offset = from + Buffer.byteLength(text);
        await write({ job, offset: from, end: offset, text });
      },
      async setStep(next: StepState): Promise<void> {
        await api.db
          .update(operationSteps)
          .set({ state: next })
          .where(eq(operationSteps.operationId, operation));
        await notify(api.db, operation);
      },
      async setState(next: 'rolling_back' | 'cancelled'): Promise<void> {
        await api.db.update(operations).set({ state: next }).where(eq(operations.id, operation));
        await notify(api.db, operation);
      },
    };
  };
  const read = async (operation: string, after = 0): Promise<Page> => {
    const response = await api.call('GET', `/operations/${operation}/output?step=image&after=${after}`);
    assert.equal(response.status, 200, await response.clone().text());
    return (await response.json()) as Page;
  };
  const readAll = async (operation: string): Promise<Page[]> => {
    const pages = [await read(operation)];
    for (;;) {
      const next = await read(operation, pages.at(-1)?.cursor);
      if (next.text === '') return pages;
      pages.push(next);
    }
  };
  const follow = async (operation: string, headers: Record<string, string> = {}) =>
    readEvents(
      await api.call('GET', `/operations/${operation}/output?step=image`, {
        headers: { accept: 'text/event-stream', ...headers },
      }),
    );
  const texts = (events: Received[]) =>
    events.map(({ event, data }) => (event === 'output' ? (data as { text: string }).text : '')).join('');

  it('pages by bytes, each page once, and says when no more comes', async () => {
    const { operation, print, setStep } = await make();
    // characters of two bytes: the cursor counts bytes, not characters
    const lines = Array.from({ length: 30 }, (_, index) => `${index} ${'ä'.repeat(10_000)}\n`);
    for (const line of lines) await print(line);
    const pages = await readAll(operation);
    assert.ok(pages.length > 1);
    assert.equal(pages.map(({ text }) => text).join(''), lines.join(''));
    assert.equal(pages.at(-1)?.cursor, Buffer.byteLength(lines.join('')));
    const last = pages.at(-1)?.cursor ?? 0;
    assert.deepEqual(await read(operation, last), { step: 'image', text: '', cursor: last, complete: false });
    await setStep('done');
    assert.equal((await read(operation, last)).complete, true);
  });

  it('keeps the first and the newest 2 MiB and marks what is cut between them', async () => {
    const { operation, print } = await make();
    const chunks = Array.from({ length: 160 }, (_, index) => `${index}:`.padEnd(CHUNK - 1, 'x') + '\n');
    for (const chunk of chunks) await print(chunk);
    const whole = chunks.join('');
    const text = (await readAll(operation)).map((page) => page.text).join('');
    const marks = [...text.matchAll(MARK)];
    assert.equal(marks.length, 1);
    const [head = '', , tail = ''] = text.split(MARK);
    assert.ok(whole.startsWith(head) && whole.endsWith(tail));
    for (const kept of [head, tail]) {
      assert.ok(
        kept.length >= OUTPUT_KEPT_BYTES && kept.length < OUTPUT_KEPT_BYTES + 3 * CHUNK,
        `${kept.length}`,
      );
    }
    assert.equal(Number(marks[0]?.[1]), whole.length - head.length - tail.length);
    const [stored] = await api.db
      .select({ bytes: sum(sql`octet_length(${operationOutput.text})`) })
      .from(operationOutput)
      .where(eq(operationOutput.operationId, operation));
    assert.equal(Number(stored?.bytes), head.length + tail.length, 'what is cut is gone from the database');
  });

  it('has each byte once over attempts that repeat some, also of what lies in the newest part', async () => {
    const { operation, print } = await make();
    const blob = randomBytes(2.5 * 1024 * 1024).toString('hex');
    for (let at = 0; at < blob.length; at += CHUNK) {
      await print(blob.slice(at, at + CHUNK), 'job-1', at);
      // another attempt begins earlier and cuts elsewhere
      const earlier = Math.max(0, at - 1_000);
      await print(blob.slice(earlier, at + 77), 'job-1', earlier);
    }
    const [head = '', missing = '', tail = ''] = (await readAll(operation))
      .map(({ text }) => text)
      .join('')
      .split(MARK);
    assert.ok(blob.startsWith(head) && blob.endsWith(tail));
    assert.equal(head.length + Number(missing) + tail.length, blob.length);
  });

  it('goes on behind the first try with the output of the second', async () => {
    const { operation, print } = await make();
    await print('first try\n', 'job-1', 0);
    await print('second try\n', 'job-2', 0);
    // of an attempt that is late
    await print('first try\n', 'job-1', 0);
    assert.deepEqual(
      (await readAll(operation)).map(({ text }) => text),
      ['first try\nsecond try\n'],
    );
  });

  it('costs a page no more at the end of a long output than at its beginning', async () => {
    const { operation } = await make();
    await api.db.execute(sql`
      insert into operation_output (operation_id, step, position, job, "offset", end_offset, text)
      select ${operation}, 'image', n * 50, 'job-1', n * 50, n * 50 + 50, repeat('x', 50)
      from generate_series(0, 59999) n`);
    await api.db.execute(sql`analyze operation_output`);
    for (const after of [0, 1_500_000, 2_990_000]) {
      await api.db.transaction(async (tx) => {
        const before = await readsOf(tx);
        const page = await readOutputPage(tx, {
          operationId: operation,
          step: 'image',
          after,
          bytes: 100_000,
        });
        const { scans, rows } = await readsOf(tx);
        assert.equal(scans - before.scans, 0);
        const answered = (page?.text.length ?? 0) / 50;
        const read = rows - before.rows;
        assert.ok(answered >= 200 && read <= answered + 10, `${read} rows were read for ${answered}`);
      });
    }
  });

  it('follows by Server-Sent Events until the step is over', async () => {
    const { operation, print, setStep } = await make();
    await print('one\n');
    const stream = await follow(operation);
    await stream.until((events) => texts(events) === 'one\n');
    await print('two\n');
    await stream.until((events) => texts(events) === 'one\ntwo\n');
    await setStep('failed');
    await print('three\n');
    await setStep('done');
    const all = await stream.ended();
    assert.equal(texts(all), 'one\ntwo\nthree\n');
    assert.equal(all.at(-1)?.event, 'end');
    const resumed = await (await follow(operation, { 'Last-Event-ID': '4' })).ended();
    assert.equal(texts(resumed), 'two\nthree\n');
    const had = await api.call('GET', `/operations/${operation}/output?step=image`, {
      headers: { accept: 'text/event-stream', 'Last-Event-ID': all.at(-1)?.id ?? '' },
    });
    assert.equal(had.status, 204);
  });

  it('follows a failed step no longer than its operation goes on', async () => {
    for (const state of ['rolling_back', 'cancelled'] as const) {
      const { operation, print, setState } = await make('failed');
      await print('no\n');
      const stream = await follow(operation);
      await stream.until((events) => texts(events) === 'no\n');
      await setState(state);
      assert.equal(texts(await stream.ended()), 'no\n');
    }
  });

  it('masks secrets', async () => {
    const { operation, print } = await make();
    await api.secrets.store(api.db, { owner: `clients/${operation}`, name: 'x' }, 'a secret of length');
    await print('password: a secret of length\n');
    assert.equal((await read(operation)).text, 'password: ***\n');
  });

  it('names what is missing: the step, the operation, a cursor', async () => {
    const { operation } = await make();
    const status = async (path: string) => (await api.call('GET', path)).status;
    assert.equal(await status(`/operations/${operation}/output`), 422);
    assert.equal(await status(`/operations/${operation}/output?step=image&after=x`), 422);
    assert.equal(await status(`/operations/${operation}/output?step=absent`), 404);
    assert.equal(await status(`/operations/${ulid()}/output?step=image`), 404);
    assert.equal((await read(operation)).text, '');
  });
});
