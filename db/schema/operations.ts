import { isNull } from 'drizzle-orm';
import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import type {
  Decision,
  Hold,
  Leftover,
  OperationState,
  StepError,
  StepState,
  Warning,
} from '../../workflows/contract/operation/operation.js';
import { moment } from './columns.js';

/** Projection of operations; history is the truth, this is what lists and reads without Temporal use. */
export const operations = pgTable(
  'operations',
  {
    id: text('id').primaryKey(),
    kind: text('kind').notNull(),
    subject: text('subject').notNull(),
    state: text('state').$type<OperationState>().notNull(),
    title: text('title').notNull(),
    actor: text('actor').notNull(),
    requestId: text('request_id'),
    /** keyed digest of route, actor and body: an equal request while it runs answers with it */
    requestDigest: text('request_digest'),
    /** workflow arguments, for repeating an ambiguous start; secrets only by reference */
    input: jsonb('input').notNull(),
    /** first run that claimed the row; a second claimant is a conflict */
    runId: text('run_id'),
    /** what it works on, such as `server:3` */
    places: text('places').array().notNull().default([]),
    /** the operation that started this one as its child */
    parentId: text('parent_id'),
    waitingFor: text('waiting_for'),
    hold: jsonb('hold').$type<Hold | null>(),
    failedStep: text('failed_step'),
    warnings: jsonb('warnings').$type<Warning[]>().notNull().default([]),
    leftovers: jsonb('leftovers').$type<Leftover[]>().notNull().default([]),
    decisions: jsonb('decisions').$type<Decision[]>().notNull().default([]),
    result: jsonb('result'),
    error: jsonb('error').$type<StepError | null>(),
    lastEvent: integer('last_event').notNull().default(0),
    /** number of the workflow's newest own record */
    lastRecord: integer('last_record').notNull().default(0),
    startedAt: moment('started_at').notNull().defaultNow(),
    /** set once Temporal is known to have it */
    confirmedAt: moment('confirmed_at'),
    endedAt: moment('ended_at'),
    /** its code fails again and again, as the sweep saw it last: a bug that a fixed deployment heals */
    stuck: boolean('stuck').notNull().default(false),
    /** set once its whole timeline is in Postgres */
    archivedAt: moment('archived_at'),
  },
  (t) => [
    index('operations_subject').on(t.subject, t.id),
    index('operations_state').on(t.state, t.id),
    index('operations_places').using('gin', t.places),
    index('operations_parent').on(t.parentId, t.id),
    // what the minute sweep reads: open ones, and those to be archived
    index('operations_unarchived').on(t.id).where(isNull(t.archivedAt)),
  ],
);

export const operationSteps = pgTable(
  'operation_steps',
  {
    operationId: text('operation_id')
      .notNull()
      .references(() => operations.id, { onDelete: 'cascade' }),
    key: text('key').notNull(),
    title: text('title').notNull(),
    state: text('state').$type<StepState>().notNull(),
    /** of the newest call: with `attempt` it decides which of two writers is late */
    seq: integer('seq').notNull(),
    attempt: integer('attempt').notNull(),
    try: integer('try').notNull(),
    summary: text('summary'),
    error: jsonb('error').$type<StepError | null>(),
    startedAt: moment('started_at').notNull(),
    endedAt: moment('ended_at'),
    /** first retryable failure of this call: automatic retries are bounded by time from here */
    failingSince: moment('failing_since'),
  },
  (t) => [primaryKey({ columns: [t.operationId, t.key] })],
);

export type EventLevel = 'info' | 'warning' | 'error';

/** Lines of the createlog: append-only, numbered without gap, each recorded once by its key. */
export const operationEvents = pgTable(
  'operation_events',
  {
    operationId: text('operation_id')
      .notNull()
      .references(() => operations.id, { onDelete: 'cascade' }),
    seq: integer('seq').notNull(),
    key: text('key').notNull(),
    time: moment('time').notNull().defaultNow(),
    type: text('type').notNull(),
    step: text('step'),
    message: text('message').notNull(),
    level: text('level').$type<EventLevel>().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.operationId, t.seq] }),
    uniqueIndex('operation_events_key').on(t.operationId, t.key),
  ],
);

export type UndoState = 'registered' | 'undone' | 'kept' | 'failed';
/** Not undone and not kept: they restrict their subject until a clean-up has run them. */
export const OPEN_UNDOS: UndoState[] = ['registered', 'failed'];

/** The undo ledger: written before the act's first effect, so that it outlives worker, workflow and Temporal. */
export const operationUndos = pgTable(
  'operation_undos',
  {
    operationId: text('operation_id')
      .notNull()
      .references(() => operations.id, { onDelete: 'cascade' }),
    id: text('id').notNull(),
    seq: integer('seq').notNull(),
    step: text('step').notNull(),
    title: text('title').notNull(),
    activity: text('activity').notNull(),
    input: jsonb('input').notNull(),
    state: text('state').$type<UndoState>().notNull(),
    error: text('error'),
    registeredAt: moment('registered_at').notNull().defaultNow(),
    finishedAt: moment('finished_at'),
  },
  (t) => [primaryKey({ columns: [t.operationId, t.id] })],
);

/** Raw output of remote commands in chunks by bytes; another attempt cuts it elsewhere, no byte is written twice. */
export const operationOutput = pgTable(
  'operation_output',
  {
    operationId: text('operation_id')
      .notNull()
      .references(() => operations.id, { onDelete: 'cascade' }),
    step: text('step').notNull(),
    /** bytes of the step's output before this chunk, over all its jobs: where a reader goes on */
    position: bigint('position', { mode: 'number' }).notNull(),
    job: text('job').notNull(),
    offset: bigint('offset', { mode: 'number' }).notNull(),
    end: bigint('end_offset', { mode: 'number' }).notNull(),
    text: text('text').notNull(),
    time: moment('time').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.operationId, t.step, t.position] })],
);

/** `Idempotency-Key`: stored with the operation before its start, so that an ambiguous start is found again. */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    key: text('key').notNull(),
    route: text('route').notNull(),
    actor: text('actor').notNull(),
    bodyDigest: text('body_digest').notNull(),
    operationId: text('operation_id').notNull(),
    subjectId: text('subject_id').notNull(),
    createdAt: moment('created_at').notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.actor, t.route, t.key] }),
    index('idempotency_keys_operation').on(t.operationId),
  ],
);
