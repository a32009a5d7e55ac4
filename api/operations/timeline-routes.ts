import { z } from '@hono/zod-openapi';
import { TIMELINE_TYPES } from '../../workflows/contract/operation/timeline.js';
import type { RouteDeps } from './deps.js';
import { optional, pattern, wholeNumber } from '../http/fields.js';
import { requireOperation } from './read.js';
import { readTimeline } from './timeline.js';
import { json } from '../http/answers.js';
import { endpoint } from '../http/endpoint.js';
import { type Router } from '../http/router.js';
import { OperationParams } from './schemas.js';

const PAGE = { default: 100, max: 500 };
/** A cursor names the calls that are open at its place, a few hundred characters each; Node takes 16 KB of headers. */
const CURSOR_MAX = 8_000;

const TimelineQuery = z.object({
  limit: optional(wholeNumber({ min: 1, max: PAGE.max })).openapi({
    description: `Items, at most; ${PAGE.default} by default`,
    example: 100,
  }),
  cursor: optional(pattern(/^[A-Za-z0-9_-]*$/, CURSOR_MAX, 'must be the cursor of a page before')).openapi({
    description: 'From the page before; it stays good when the operation ends',
    example: 'eyJydW4iOjF9',
  }),
});

const Item = z
  .object({
    id: z.string().openapi({ description: '`<run>-<event>`', example: '1-17' }),
    run: z.number().int().openapi({ description: '1, 2, … over continue-as-new', example: 1 }),
    event: z.number().int().openapi({ description: "Event of the run's history", example: 17 }),
    time: z.iso.datetime().openapi({ description: 'When', example: '2031-01-31T12:00:00.000Z' }),
    type: z.enum(TIMELINE_TYPES).openapi({ description: 'What happened', example: 'step_done' }),
    step: z.string().nullable().openapi({ description: 'Step that it is about', example: 'database' }),
    message: z.string().openapi({ description: 'For people', example: 'Create database and user: done' }),
    data: z
      .record(z.string(), z.union([z.string(), z.number()]))
      .openapi({ description: 'What belongs to the type, such as `attempt` and `kind`', example: {} }),
  })
  .openapi('TimelineItem');
const Timeline = z
  .object({
    data: z.array(Item).openapi({ description: 'In order' }),
    cursor: z
      .string()
      .nullable()
      .openapi({ description: 'For what comes next; null when nothing will', example: null }),
    source: z.enum(['history', 'archive', 'projection']).openapi({
      description:
        "Temporal's history, its archive, or, without either, the recorded log (ids `0-<line>`, no details)",
      example: 'history',
    }),
  })
  .openapi('Timeline');

const TIMELINE = endpoint({
  method: 'get',
  path: '/operations/{id}/timeline',
  tag: 'Operations',
  summary: 'What happened, event by event',
  description:
    'The history of an operation as typed items. While it runs there is always a cursor: asked again, it answers what is new.',
  params: OperationParams,
  query: TimelineQuery,
  scope: 'read',
  changes: false,
  responses: { 200: json('A page', Timeline) },
  problems: ['temporal_unavailable'],
});

export function addOperationTimelineRoutes(router: Router, deps: RouteDeps): void {
  router.add(TIMELINE, async (_c, { params: { id }, query: { cursor, limit = PAGE.default } }) => {
    const row = await requireOperation(deps, id);
    const { items, ...page } = await readTimeline(deps, row, { cursor, limit });
    const data = items.map((item) => ({ id: `${item.run}-${item.event}`, ...item }));
    return { status: 200, body: { data, cursor: page.cursor, source: page.source } };
  });
}
