import { z } from '@hono/zod-openapi';
import { isEnd } from '../../workflows/contract/operation/operation.js';
import type { RouteDeps } from './deps.js';
import type { Ctx } from '../http/environment.js';
import { describeError } from '../http/errors.js';
import { line, optional, wholeNumber } from '../http/fields.js';
import { COMMENT_MS, type StreamEvent, streamEvents } from './event-stream.js';
import { followOperation } from './events.js';
import { requireOperation } from './read.js';
import { followOutput, readOutput } from './output.js';
import { Problem } from '../http/problem.js';
import { json, media } from '../http/answers.js';
import { endpoint } from '../http/endpoint.js';
import { invalidInput, type Router } from '../http/router.js';
import { OperationParams, StepOutputSchema } from './schemas.js';

const tag = 'Operations';
const EVENT_STREAM = 'text/event-stream';

const StreamHeaders = z.object({
  'Last-Event-ID': z.string().optional().openapi({
    description: 'Id of the last event that the caller has; sent by every EventSource that comes again',
    example: '17',
  }),
});
const EventsQuery = z.object({
  after: optional(wholeNumber({ min: 0, max: 2_147_483_647 })).openapi({
    description: 'Only lines after this one; `Last-Event-ID` goes before it',
    example: 17,
  }),
});
const OutputQuery = z.object({
  step: line({ min: 1, max: 200 }).openapi({ description: 'Key of the step', example: 'image' }),
  after: optional(wholeNumber({ min: 0, max: Number.MAX_SAFE_INTEGER })).openapi({
    description: '`cursor` of the page before; `Last-Event-ID` goes before it',
    example: 262144,
  }),
});
/** Of one caller: far more than a panel has operations on its screen, and far less than a process can serve. */
const STREAMS_AT_ONCE = 200;
const gone = { 204: { description: 'The caller has had the `end`: an EventSource stays away' } };

/** What an operation does while it does it: its events, and the raw output of its steps. */
const EVENTS = endpoint({
  method: 'get',
  path: '/operations/{id}/events',
  tag,
  summary: 'Follow an operation',
  description: `Server-Sent Events. \`line\`: a line of the log, \`{ seq, time, type, step, message, level }\`, its id
the number \`seq\`. \`state\`: where the operation stands, \`{ state, hold, waitingFor?, warnings, leftovers, decisions, steps }\`,
sent at first and whenever it differs; \`steps\` are those that differ. \`end\`: \`{ state, endedAt }\`, the last one.
Resumes behind \`Last-Event-ID\`; a comment every ${COMMENT_MS / 1000} s keeps proxies from closing it.`,
  params: OperationParams,
  query: EventsQuery,
  headers: StreamHeaders,
  scope: 'read',
  changes: false,
  responses: { 200: stream('Events until the operation ends'), ...gone },
});

const OUTPUT = endpoint({
  method: 'get',
  path: '/operations/{id}/output',
  tag,
  summary: 'Raw output of a step',
  description: `What the step's remote commands have printed, secrets masked: of each step the first 2 MiB and the
newest 2 MiB, with a mark where the middle was cut. \`cursor\` counts bytes and is \`after\` of the next page. With
\`Accept: ${EVENT_STREAM}\` it is followed until the step or its operation is over: \`output\` with \`{ text, cursor }\`, at last
\`end\`; the cursor is the event's id, and \`Last-Event-ID\` resumes behind it.`,
  params: OperationParams,
  query: OutputQuery,
  headers: StreamHeaders,
  scope: 'read',
  changes: false,
  responses: {
    200: media('A page, or what follows', {
      ...json('', StepOutputSchema).content,
      ...stream('').content,
    }),
    ...gone,
  },
});

export function addOperationStreamRoutes(router: Router, deps: RouteDeps): void {
  const { db, watches } = deps;
  const commentMs = () => deps.settings.commentMs ?? COMMENT_MS;
  const answer = createStreamAnswer(deps);

  router.add(EVENTS, async (c, { params: { id: operation }, query }) => {
    const last = lastEventId(c);
    const row = await requireOperation(deps, operation);
    if (last?.ended === true && isEnd(row.state)) return { status: 204 };
    const after = last?.number ?? query.after ?? 0;
    return answer(c, (signal) =>
      followOperation({ db, watches, operation, after, commentMs: commentMs(), signal }),
    );
  });
  router.add(OUTPUT, async (c, { params: { id: operation }, query }) => {
    const last = lastEventId(c);
    const from = { db, operation, step: query.step, after: last?.number ?? query.after ?? 0 };
    const page = await readOutput(from);
    if (!wantsStream(c)) return { status: 200, body: page };
    if (last?.ended === true && page.complete) return { status: 204 };
    return answer(c, (signal) => followOutput({ ...from, watches, commentMs: commentMs(), signal }));
  });
}

/** Counts the streams that each login has open. */
function createStreamAnswer({ watches, settings, logger }: RouteDeps) {
  const open = new Map<string, number>();
  return (c: Ctx, source: (signal: AbortSignal) => AsyncGenerator<StreamEvent | null, void>) => {
    // nobody reads the body of a HEAD, so it would never end
    if (c.req.method === 'HEAD')
      return { response: new Response(null, { headers: { 'Content-Type': EVENT_STREAM } }) };
    const who = c.get('actor');
    const others = open.get(who) ?? 0;
    if (others >= (settings.streamsAtOnce ?? STREAMS_AT_ONCE)) throw tooMany(others);
    open.set(who, others + 1);
    const response = streamEvents({
      source,
      stopping: watches.stopping,
      failed: (error) => logger.error({ error: describeError(error) }, 'an event stream broke off'),
      over: () => open.set(who, (open.get(who) ?? 1) - 1),
    });
    return { response };
  };
}

function tooMany(open: number): Problem {
  const detail = `${open} event streams of this login are open: close some, or follow lists by polling`;
  return new Problem('too_many_requests', { detail, headers: { 'Retry-After': '10' } });
}

function stream(description: string) {
  const schema = z
    .string()
    .openapi({ description: 'Server-Sent Events', example: 'event: end\ndata: {}\n\n' });
  return media(description, { [EVENT_STREAM]: { schema } });
}

function wantsStream(c: Ctx): boolean {
  return (c.req.header('accept') ?? '').toLowerCase().includes(EVENT_STREAM);
}

/** Ids are those that were sent: a number, and behind it whether it was the `end`. Anything else is the caller's bug. */
function lastEventId(c: Ctx): { number: number; ended: boolean } | undefined {
  const given = c.req.header('last-event-id');
  if (given === undefined || given === '') return undefined;
  const [, number, end] = /^(\d{1,15})(-end)?$/.exec(given) ?? [];
  if (number === undefined) {
    throw invalidInput([{ field: 'Last-Event-ID', message: 'must be the id of an event of this stream' }]);
  }
  return { number: Number(number), ended: end !== undefined };
}
