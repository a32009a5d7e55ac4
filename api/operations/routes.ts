import { z } from '@hono/zod-openapi';
import type { HoldAction } from '../../workflows/contract/operation/operation.js';
import { json } from '../http/answers.js';
import { endpoint } from '../http/endpoint.js';
import type { Ctx } from '../http/environment.js';
import { describeError } from '../http/errors.js';
import { optional, wholeNumber } from '../http/fields.js';
import { cursorAnswer, LinkHeader } from '../http/pages.js';
import type { Router } from '../http/router.js';
import { decideForMany } from './bulk.js';
import { callerOf } from './caller.js';
import { decide } from './control.js';
import type { RouteDeps } from './deps.js';
import { filterOf, listOperationPage } from './list.js';
import { readOperation, WAIT_MAX_SECONDS } from './read.js';
import { refOf } from './refusals.js';
import {
  BULK_MAX,
  BulkAnswerSchema,
  BulkInput,
  DecisionAnswerSchema,
  DecisionInput,
  NoteInput,
  SkipInput,
} from './decision-schemas.js';
import { OperationFilter, OperationListSchema, OperationParams, OperationSchema } from './schemas.js';

const tag = 'Operations';
const LIMIT = { default: 50, max: 100 };

const ListQuery = OperationFilter.extend({
  limit: optional(wholeNumber({ min: 1, max: LIMIT.max })).openapi({
    description: `Entries, ${LIMIT.default} by default`,
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

const LIST = endpoint({
  method: 'get',
  path: '/operations',
  tag,
  summary: 'List operations',
  description: 'Operations as recorded, newest first.',
  query: ListQuery,
  scope: 'read',
  changes: false,
  responses: { 200: json('Operations', OperationListSchema, LinkHeader) },
});

const READ = endpoint({
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
});

const BULK = endpoint({
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
});

const DECISIONS: readonly Decision[] = [
  {
    action: 'retry',
    body: DecisionInput,
    description: 'Tries the failed step again, with changed input where the hold allows it.',
  },
  {
    action: 'skip',
    body: SkipInput,
    description: 'Goes on without the failed step, where the step allows it. Needs a note.',
  },
  { action: 'rollback', body: NoteInput, description: 'Undoes everything that the operation has done.' },
  {
    action: 'cancel',
    body: NoteInput,
    description: 'Stops the operation, waiting or not, and undoes what it has done.',
  },
];

interface Decision {
  action: HoldAction | 'cancel';
  body: typeof DecisionInput | typeof SkipInput | typeof NoteInput;
  description: string;
}

export function addOperationRoutes(router: Router, deps: RouteDeps): void {
  router.add(LIST, async (c, { query: { limit = LIMIT.default, ...filter } }) =>
    cursorAnswer(c, await listOperationPage(deps, { ...filterOf(filter), limit })),
  );
  router.add(READ, async (c, { params: { id } }) => {
    const wanted = waitOf(c);
    const { operation, etag } = await readOperation(deps, id, wanted);
    const applied: Record<string, string> =
      wanted === undefined ? {} : { 'Preference-Applied': `wait=${wanted.seconds}` };
    return { status: 200, body: operation, headers: { ETag: etag, ...applied } };
  });
  router.add(BULK, async (c, { body: { action, ids, filter, note } }) => {
    const which = filter === undefined ? { ids: ids ?? [] } : { filter: filterOf(filter) };
    const failed = (error: unknown) =>
      c.get('log').error({ error: describeError(error) }, 'one of many decisions failed');
    const given = { action, which, note: note === '' ? undefined : note, caller: callerOf(c) };
    return { status: 200, body: await decideForMany(deps, { ...given, max: BULK_MAX, failed }) };
  });
  for (const decision of DECISIONS) addDecision(router, deps, decision);
}

function addDecision(router: Router, deps: RouteDeps, { action, body, description }: Decision): void {
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
      const wanted = { id, action, note: note === '' ? undefined : note, input, caller: callerOf(c) };
      const { status, decision, row } = await decide(deps, wanted);
      return { status, body: { decision, operation: refOf(row) } };
    },
  );
}

/** `Prefer: wait=20` by RFC 7240, with what the caller has. */
function waitOf(c: Ctx) {
  const [, asked] = /(?:^|[,;\s])wait=(\d{1,4})(?=$|[,;\s])/.exec(c.req.header('prefer') ?? '') ?? [];
  const seconds = Math.min(Number(asked ?? 0), WAIT_MAX_SECONDS);
  if (seconds === 0) return undefined;
  return { seconds, etag: c.req.header('if-none-match'), left: c.req.raw.signal };
}
