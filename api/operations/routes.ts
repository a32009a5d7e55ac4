import { createHash } from 'node:crypto';
import { z } from '@hono/zod-openapi';
import {
  findOperation,
  listOperations,
  listSteps,
  type ListedOperation,
} from '../../db/queries/operation-reads.js';
import { type HoldAction, isEnd, type OperationState } from '../../workflows/contract/operation/operation.js';
import { callerOf } from './caller.js';
import type { RouteDeps } from './deps.js';
import type { Ctx } from '../http/environment.js';
import { optional, wholeNumber } from '../http/fields.js';
import { describeError } from '../http/errors.js';
import { decideForMany } from './bulk.js';
import { decide } from './control.js';
import { enrich } from './live.js';
import { isStuck, type OperationAnswer, viewOfRow } from './view.js';
import { Problem } from '../http/problem.js';
import { json, type Router } from '../http/router.js';
import {
  BULK_MAX,
  BulkAnswerSchema,
  BulkInput,
  DecisionAnswerSchema,
  DecisionInput,
  NoteInput,
  OperationFilter,
  OperationListSchema,
  OperationParams,
  OperationSchema,
  SkipInput,
} from './schemas.js';
import { LinkHeader, linkTo } from '../http/pages.js';
import { refOf } from './refusals.js';

const tag = 'Operations';
const LIST = { default: 50, max: 100 };
/** Proxies commonly give up after 60 s. */
const WAIT_MAX_SECONDS = 30;
/** Should a notification be lost with its connection, a long poll looks again after this long. */
const LOOK_AGAIN_MS = 2_000;

const ListQuery = OperationFilter.extend({
  limit: optional(wholeNumber({ min: 1, max: LIST.max })).openapi({
    description: `Entries, ${LIST.default} by default`,
    example: 50,
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
      scope: 'read',
      changes: false,
      responses: { 200: json('Operations', OperationListSchema, LinkHeader) },
    },
    async (c, { query }) => {
      const { limit = LIST.default, ...filter } = query;
      const rows = await listOperations(db, { ...filterOf(filter), limit: limit + 1 });
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
      scope: 'read',
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

  addBulk(router, deps);
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

function addBulk(router: Router, deps: RouteDeps): void {
  router.add(
    {
      method: 'post',
      path: '/operations/bulk',
      tag,
      summary: 'Decide for many',
      description: `The same decision for up to ${BULK_MAX} operations, each by the rules of its own route, with an outcome of its own.
An id that names nothing is 422, and then nothing is done.`,
      body: BulkInput,
      scope: 'operate',
      changes: true,
      responses: { 200: json('One outcome for each', BulkAnswerSchema) },
      problems: ['temporal_unavailable'],
    },
    async (c, { body: { action, ids, filter, note } }) => {
      const which = filter === undefined ? { ids: ids ?? [] } : { filter: filterOf(filter) };
      const failed = (error: unknown) =>
        c.get('log').error({ error: describeError(error) }, 'one of many decisions failed');
      const given = { action, which, note: note === '' ? undefined : note, caller: callerOf(c) };
      return c.json(await decideForMany(deps, { ...given, max: BULK_MAX, failed }));
    },
  );
}

/** As the query of the list says it. */
function filterOf({ state, cursor, ...rest }: z.output<typeof OperationFilter>) {
  return { ...rest, states: state?.split(',') as OperationState[] | undefined, before: cursor };
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
      scope: 'operate',
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

function entryOf(row: ListedOperation) {
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
    ...(isStuck(row) ? { stuck: true } : {}),
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
  const asked = Number(/(?:^|[,;\s])wait=(\d{1,4})(?=$|[,;\s])/.exec(c.req.header('prefer') ?? '')?.[1] ?? 0);
  if (asked === 0) return read();
  const seconds = Math.min(asked, WAIT_MAX_SECONDS);
  const until = Date.now() + seconds * 1000;
  c.header('Preference-Applied', `wait=${seconds}`);
  const watch = changes.watch([id]);
  const left = c.req.raw.signal;
  left.addEventListener('abort', watch.wake);
  try {
    let now = await read();
    const had = c.req.header('if-none-match') ?? etagOf(now);
    const over = () => isEnd(now.state) || left.aborted || changes.stopping.aborted || Date.now() >= until;
    while (etagOf(now) === had && !over()) {
      await watch.next(Math.min(LOOK_AGAIN_MS, until - Date.now()));
      now = await read();
    }
    return now;
  } finally {
    watch.end();
  }
}

function etagOf(view: OperationAnswer): string {
  return `"${createHash('sha256').update(JSON.stringify(view)).digest('base64url').slice(0, 22)}"`;
}
