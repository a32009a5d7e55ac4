import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { eq, isNotNull, isNull } from 'drizzle-orm';
import { ulid } from 'ulid';
import { admissions, operations } from '../../../db/schema/index.js';
import { pollUntil } from '../../../process/poll.js';
import type { ScriptedParams } from '../../support/scripted-operation.js';
import { type ScriptedProcesses, startScriptedProcess } from '../../support/scripted-process.js';
import type { Happening } from '../../support/scripted-worker-spawn.js';
import { openServices, type Services } from '../../support/services.js';

const OPERATIONS = 300;
const EXCLUSIVE = 30;
const BORROWING = 75;
const HOLDING = 15;
const CANCELLED = 15;
/** The worker is killed when this many have ended: in the middle of it. */
const KILL_AT = [30, 80, 130, 180, 230];
/** Four minutes on a machine with much other work; a good part of it waits for the heartbeats of killed activities. */
const DEADLINE_MS = 10 * 60_000;
const STARTS_AT_ONCE = 12;

/** What an operation was allowed to work on, and from when to when it did. */
interface Span {
  operation: string;
  from: number;
  to: number;
  servers: readonly string[];
  exclusive: boolean;
  subjects: readonly string[];
}

interface Planned {
  id: string;
  params: ScriptedParams;
  cancelled: boolean;
}

/** Numbers in [0, 1) that follow from the seed (mulberry32). */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function planStorm(random: () => number): Planned[] {
  const any = (limit: number): number => Math.floor(random() * limit);
  const firstServer = any(1_000_000) * 10;
  const ids = Array.from({ length: OPERATIONS }, () => ulid());
  const subjects = ids.map((_, index) => `client:${firstServer}-${any(1_000)}-${index}`);
  return ids.map((id, index) => {
    const server = firstServer + any(3);
    const servers = any(5) === 0 ? [server, firstServer + any(3)] : [server];
    const exclusive = index % (OPERATIONS / EXCLUSIVE) === 0;
    const holds = index % (OPERATIONS / HOLDING) === 1;
    const cancelled = index % (OPERATIONS / CANCELLED) === 2;
    const borrows = index % (OPERATIONS / BORROWING) === 3;
    const other = subjects[(index + 1 + any(20)) % OPERATIONS] ?? '';
    return {
      id,
      cancelled,
      params: {
        subject: subjects[index] ?? '',
        admission: {
          places: [...new Set(servers)].map((id) => `server:${id}`),
          ...(exclusive ? { exclusive: true } : {}),
        },
        borrows: borrows ? [other] : [],
        steps: [
          ...(holds ? [{ key: 'fails-first' }] : []),
          { key: 'one', takesMs: 5 + any(60) },
          { key: 'two', takesMs: 5 + any(60) },
        ],
      },
    };
  });
}

/** From the first act to the last one or its undo; the try before a hold is apart, as the hold gives admission back. */
function spansOf(planned: readonly Planned[], happenings: readonly Happening[]): Span[] {
  const said = happenings.map(({ time, what }) => [time, ...what.split(' ')] as const);
  return planned.flatMap(({ id, params: { subject, borrows = [], admission } }) => {
    const own = said.filter(([, , operation]) => operation === id);
    const about = {
      operation: id,
      servers: admission?.places ?? [],
      exclusive: admission?.exclusive === true,
      subjects: [subject, ...borrows],
    };
    const tries = own
      .filter(([, verb, , key]) => verb === 'make' && key === 'fails-first')
      .map(([time]) => time);
    const rest = own.filter(([, , , key]) => key !== 'fails-first').map(([time]) => time);
    return [
      ...tries.map((time) => ({ ...about, from: time, to: time })),
      ...(rest.length === 0 ? [] : [{ ...about, from: Math.min(...rest), to: Math.max(...rest) }]),
    ];
  });
}

/** Pairs that ran at the same time, as far as `bad` says that they must not. */
function overlaps(spans: readonly Span[], bad: (one: Span, two: Span) => boolean): string[] {
  return spans.flatMap((one, index) =>
    spans
      .slice(index + 1)
      .filter((two) => one.operation !== two.operation && one.from < two.to && two.from < one.to)
      .filter((two) => bad(one, two))
      .map((two) => `${JSON.stringify(one)} beside ${JSON.stringify(two)}`),
  );
}

const meet = <T>(one: readonly T[], two: readonly T[]): boolean => one.some((item) => two.includes(item));

describe('a storm of operations on three servers, with the worker killed five times', () => {
  let services: Services;
  let worker: ScriptedProcesses;
  const taskQueue = `storm-${randomBytes(4).toString('hex')}`;
  const seed = randomInt(2 ** 31);
  const planned = planStorm(numbersFrom(seed));
  before(async () => {
    services = await openServices();
    worker = await startScriptedProcess(services, taskQueue);
  });
  after(async () => {
    await worker?.stop();
    await services?.close();
  });

  async function start({ id, params, cancelled }: Planned): Promise<void> {
    const { workflow } = services.client;
    const args = [{ operation: { id, actor: 'tester', requestId: null }, params }];
    const handle = await pollUntil({
      what: `start of ${id}`,
      deadlineMs: DEADLINE_MS,
      everyMs: 200,
      probe: () =>
        workflow
          .start('scripted', { workflowId: params.subject, taskQueue, args })
          .catch((error: unknown) => {
            if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
            throw error;
          }),
    });
    if (!cancelled) return;
    await delay(Math.random() * 500);
    await handle.cancel();
  }

  async function startAll(): Promise<void> {
    const queue = planned.values();
    const lane = async () => {
      for (const one of queue) await start(one);
    };
    await Promise.all(Array.from({ length: STARTS_AT_ONCE }, lane));
  }

  const rows = () => services.database.db.select().from(operations);

  /** Decides on holds and kills the worker, until all have ended. */
  async function driveToEnd(): Promise<void> {
    const kills = [...KILL_AT];
    await pollUntil({
      what: 'ends',
      deadlineMs: DEADLINE_MS,
      everyMs: 300,
      probe: async () => {
        const held = await rows().where(eq(operations.state, 'holding'));
        for (const { subject } of held) await services.client.workflow.getHandle(subject).signal('retry');
        const ended = (await rows().where(isNotNull(operations.endedAt))).filter(
          ({ kind }) => kind === 'scripted',
        );
        if (ended.length >= (kills[0] ?? Number.POSITIVE_INFINITY)) {
          kills.shift();
          await worker.restart();
        }
        return ended.length === OPERATIONS ? true : undefined;
      },
    });
    assert.deepEqual(kills, []);
  }

  it(`lets none overlap, waits for none for ever and loses none (seed ${seed})`, async () => {
    await Promise.all([startAll(), driveToEnd()]);
    const ended = await rows();
    for (const { id, cancelled, params } of planned) {
      const row = ended.find((candidate) => candidate.id === id);
      const allowed = ['succeeded', ...(cancelled ? ['cancelled'] : [])];
      const refused = params.borrows?.length !== 0 && row?.error?.kind === 'Conflict';
      assert.ok(refused || allowed.includes(row?.state ?? ''), `${id}: ${row?.state} ${row?.error?.message}`);
    }
    const spans = spansOf(planned, await worker.world());
    assert.deepEqual(
      overlaps(spans, (one, two) => (one.exclusive || two.exclusive) && meet(one.servers, two.servers)).slice(
        0,
        3,
      ),
      [],
    );
    assert.deepEqual(overlaps(spans, (one, two) => meet(one.subjects, two.subjects)).slice(0, 3), []);
    // they did run beside each other where they may
    assert.ok(overlaps(spans, (one, two) => meet(one.servers, two.servers)).length > OPERATIONS);
    const borrowed = planned.filter(({ params: { borrows = [] } }) => borrows.length > 0);
    const gotIt = borrowed.filter(({ id }) => spans.some(({ operation }) => operation === id));
    assert.ok(gotIt.length > BORROWING / 3, `${gotIt.length} of ${BORROWING} got their subject`);
    assert.deepEqual(await services.database.db.select().from(admissions), []);
    await pollUntil({
      what: 'ends of all lends',
      deadlineMs: 60_000,
      probe: async () => ((await rows().where(isNull(operations.endedAt))).length === 0 ? true : undefined),
    });
  });
});
