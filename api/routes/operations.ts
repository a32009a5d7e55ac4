import { createHash } from 'node:crypto';
import { z } from '@hono/zod-openapi';
import {
  findOperation,
  listOperations,
  listSteps,
  type OperationRow,
} from '../../db/queries/operation-reads.js';
import { OPERATION_ID } from '../../workflows/contract/ids.js';
import { type HoldAction, isEnd, type OperationState } from '../../workflows/contract/operation.js';
import { callerOf } from '../caller.js';
import type { RouteDeps } from '../deps.js';
import type { Ctx } from '../environment.js';
import { line, optional, pattern, rowId, wholeNumber } from '../fields.js';
import { decide } from '../operations/control.js';
import { enrich } from '../operations/live.js';
import { type OperationAnswer, viewOfRow } from '../operations/view.js';
import { Problem } from '../problem.js';
import { json, type Router } from '../router.js';
import {
  DecisionAnswerSchema,
  DecisionInput,
  NoteInput,
  OPERATION_STATES,
  OperationListSchema,
  OperationSchema,
  SkipInput,
} from '../schemas/operations.js';
import { LinkHeader, linkTo } from '../schemas/pages.js';
import { refOf } from '../operations/refusals.js';

const tag = 'Operations';
const LIST = { default: 50, max: 100 };
/** Proxies commonly give up after 60 s. */
const WAIT_MAX_SECONDS = 30;

const operationId = () =>
  pattern(OPERATION_ID, 26, 'must be an operation id').openapi({
    description: 'Operation id',
    example: '01K4Q2V7T3W9Z8X6C5B4N3M2A1',
  });
const OperationParams = z.object({ id: operationId().openapi({ param: { name: 'id', in: 'path' } }) });

const ListQuery = z.object({
  subject: optional(line({ max: 200 })).openapi({
    description: 'Only of this subject',
    example: 'client:42',
  }),
  kind: optional(pattern(/^[a-z][a-z0-9_]{0,63}$/, 64, 'must be a kind such as create_client')).openapi({
    description: 'Only of this kind',
    example: 'create_client',
  }),
  state: optional(
    z
      .string()
      .max(200)
      .refine(isStates, `must be states, separated by commas, of ${OPERATION_STATES.join(', ')}`),
  ).openapi({
    type: 'string',
    description: 'Only in one of these states, separated by commas',
    example: 'running,holding',
  }),
  server: optional(rowId()).openapi({ description: 'Only on this server', example: 3 }),
  client: optional(rowId()).openapi({ description: 'Only of this client', example: 42 }),
  limit: optional(wholeNumber({ min: 1, max: LIST.max })).openapi({
    description: `Entries, ${LIST.default} by default`,
    example: 50,
  }),
  cursor: optional(operationId()).openapi({
    description: 'From the page before',
    example: '01K4Q2V7T3W9Z8X6C5B4N3M2A1',
  }),
});

const ReadHeaders = z.object({
  Prefer: z
    .string()
    .optional()
    .openapi({
      description: `\`wait=20\`: answers at the next change, at the latest after so many seconds (at most ${WAIT_MAX_SECONDS})`,
      example: 'wait=20',
    }),
  'If-None-Match': z.string().optional().openapi({
    description: 'With `Prefer: wait`: the ETag of what the caller has; what is newer is answered at once',
    example: '"5d41402a"',
  }),
});

function isStates(value: string): boolean {
  return value.split(',').every((state) => (OPERATION_STATES as readonly string[]).includes(state));
}

export function addOperationRoutes(router: Router, deps: RouteDeps): void {
  const { db, temporal } = deps;
  router.add(
    {
      method: 'get',
      path: '/operations',
      tag,
      summary: 'List operations',
      description: 'Operations as recorded, newest first.',
      query: ListQuery,
      changes: false,
      responses: { 200: json('Operations', OperationListSchema, LinkHeader) },
    },
    async (c, { query }) => {
      const { subject, kind, server, client, cursor, limit = LIST.default } = query;
      const states = query.state?.split(',') as OperationState[] | undefined;
      const rows = await listOperations(db, {
        subject,
        kind,
        states,
        server,
        client,
        before: cursor,
        limit: limit + 1,
      });
      const page = rows.slice(0, limit);
      const next = rows.length > limit ? (page.at(-1)?.id ?? null) : null;
      if (next !== null) c.header('Link', `<${linkTo(c, { cursor: next })}>; rel="next"`);
      return c.json({ data: page.map(entryOf), cursor: next });
    },
  );

  router.add(
    {
      method: 'get',
      path: '/operations/{id}',
      tag,
      summary: 'One operation',
      description:
        'Steps, hold, decisions and result. A running one is asked from Temporal when that answers within a second.',
      params: OperationParams,
      headers: ReadHeaders,
      changes: false,
      responses: { 200: json('The operation', OperationSchema) },
    },
    async (c, { params: { id } }) => {
      const recorded = await awaitChange(c, deps, id);
      c.header('ETag', etagOf(recorded));
      const answer = isEnd(recorded.state) ? recorded : await enrich(temporal, recorded);
      return c.json(answer);
    },
  );

  addDecision(
    router,
    deps,
    'retry',
    DecisionInput,
    'Tries the failed step again, with changed input where the hold allows it.',
  );
  addDecision(
    router,
    deps,
    'skip',
    SkipInput,
    'Goes on without the failed step, where the step allows it. Needs a note.',
  );
  addDecision(router, deps, 'rollback', NoteInput, 'Undoes everything that the operation has done.');
  addDecision(
    router,
    deps,
    'cancel',
    NoteInput,
    'Stops the operation, waiting or not, and undoes what it has done.',
  );
}

function addDecision(
  router: Router,
  deps: RouteDeps,
  action: HoldAction | 'cancel',
  body: typeof DecisionInput | typeof SkipInput | typeof NoteInput,
  description: string,
): void {
  router.add(
    {
      method: 'post',
      path: `/operations/{id}/${action}`,
      tag,
      summary: `${action.charAt(0).toUpperCase()}${action.slice(1)}`,
      description: `${description} Answers when the operation has taken the decision, or after 2 s that it is on its way.`,
      params: OperationParams,
      body,
      changes: true,
      responses: {
        200: json('Taken', DecisionAnswerSchema),
        202: json('Sent; not yet taken', DecisionAnswerSchema),
      },
      problems: ['operation_ended', 'not_holding', 'past_commit', 'decision_ignored', 'temporal_unavailable'],
    },
    async (c, { params: { id }, body: given }) => {
      const { note, input } = given as { note?: string; input?: Record<string, unknown> };
      const answer = await decide(deps, {
        id,
        action,
        note: note === '' ? undefined : note,
        input,
        caller: callerOf(c),
      });
      return c.json({ decision: answer.decision, operation: refOf(answer.row) }, answer.status);
    },
  );
}

function entryOf(row: OperationRow) {
  const { id, kind, subject, state, title, actor, requestId, failedStep } = row;
  const times = { startedAt: row.startedAt.toISOString(), endedAt: row.endedAt?.toISOString() ?? null };
  return {
    id,
    kind,
    subject,
    state,
    title,
    actor,
    requestId,
    ...times,
    failedStep,
    href: `/operations/${id}`,
  };
}

/** The recorded view: now, or with `Prefer: wait` once it differs from what the caller has. */
async function awaitChange(c: Ctx, { db, changes }: RouteDeps, id: string): Promise<OperationAnswer> {
  const read = async (): Promise<OperationAnswer> => {
    const row = await findOperation(db, id);
    if (row === undefined) throw new Problem('not_found', { detail: `There is no operation ${id}` });
    return viewOfRow(row, await listSteps(db, id));
  };
  const seconds = Number(
    /(?:^|[,;\s])wait=(\d{1,4})(?=$|[,;\s])/.exec(c.req.header('prefer') ?? '')?.[1] ?? 0,
  );
  let now = await read();
  if (seconds === 0) return now;
  const until = Date.now() + Math.min(seconds, WAIT_MAX_SECONDS) * 1000;
  const had = c.req.header('if-none-match') ?? etagOf(now);
  c.header('Preference-Applied', `wait=${Math.min(seconds, WAIT_MAX_SECONDS)}`);
  while (etagOf(now) === had && !isEnd(now.state) && Date.now() < until && !c.req.raw.signal.aborted) {
    await changes.next(id, until - Date.now());
    now = await read();
  }
  return now;
}

function etagOf(view: OperationAnswer): string {
  return `"${createHash('sha256').update(JSON.stringify(view)).digest('base64url').slice(0, 22)}"`;
}
