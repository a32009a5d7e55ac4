import { z } from '@hono/zod-openapi';
import temporalProto from '@temporalio/proto';
import { sql } from 'drizzle-orm';
import { SCHEDULE_IDS } from '../../workflows/contract/operation/schedules.js';
import { SEARCH_ATTRIBUTES } from '../../workflows/contract/search-attributes.js';
import type { RouteDeps } from './deps.js';
import { json } from '../http/answers.js';
import { endpoint } from '../http/endpoint.js';
import { type Router } from '../http/router.js';

/** Each dependency by itself: probes of orchestrators commonly give up after a few seconds. */
const CHECK_MS = 1_500;
/** The server forgets pollers after five minutes; a living worker polls again at least every one. */
const POLLED_WITHIN_MS = 90_000;

const tag = 'Health';
const Check = z.object({
  ok: z.boolean().openapi({ description: 'Whether it works', example: true }),
  latencyMs: z.number().openapi({ description: 'How long the check took, milliseconds', example: 2 }),
  error: z.string().optional().openapi({ description: 'What is wrong', example: 'not reachable' }),
});
const Ready = z
  .object({
    status: z
      .enum(['ready', 'not_ready'])
      .openapi({ description: 'Whether operations can be started and run', example: 'ready' }),
    checks: z.record(z.string(), Check).openapi({
      description: '`postgres`, `temporal`, `searchAttributes`, `schedules`, `worker`',
      example: { postgres: { ok: true, latencyMs: 2 } },
    }),
  })
  .openapi('Ready');

const LIVE = endpoint({
  method: 'get',
  path: '/health/live',
  tag,
  summary: 'Is the process alive',
  description: 'Asks nobody else.',
  scope: 'open',
  changes: false,
  responses: {
    200: json(
      'It is',
      z
        .object({ status: z.literal('live').openapi({ description: 'Always', example: 'live' }) })
        .openapi('Live'),
    ),
  },
});

const READY = endpoint({
  method: 'get',
  path: '/health/ready',
  tag,
  summary: 'Is everything there that operations need',
  description:
    'Postgres, Temporal, its search attributes and schedules, and a worker that polls, each with its latency.',
  scope: 'open',
  changes: false,
  responses: { 200: json('Ready', Ready), 503: json('Not ready', Ready) },
});

export function addHealthRoutes(router: Router, deps: RouteDeps): void {
  // nobody logs in here, so callers at one time share what it costs
  let asked: ReturnType<typeof checkAll> | undefined;
  const checkOnce = () => {
    asked ??= checkAll(deps).finally(() => {
      asked = undefined;
    });
    return asked;
  };
  router.add(LIVE, () => ({ status: 200, body: { status: 'live' } }));
  router.add(READY, async () => {
    const checks = await checkOnce();
    const ready = Object.values(checks).every((check) => check.ok);
    return ready
      ? { status: 200, body: { status: 'ready', checks } }
      : { status: 503, body: { status: 'not_ready', checks } };
  });
}

async function checkAll({ db, temporal }: RouteDeps) {
  const { workflowService, operatorService } = temporal.connection;
  const { namespace } = temporal;
  const [postgres, server, searchAttributes, schedules, worker] = await Promise.all([
    check('not reachable', () => db.execute(sql`select 1`)),
    check('not reachable, or without the namespace', () =>
      temporal.within(CHECK_MS, () => workflowService.describeNamespace({ namespace })),
    ),
    check('some search attributes are missing', async () => {
      const { customAttributes } = await temporal.within(CHECK_MS, () =>
        operatorService.listSearchAttributes({ namespace }),
      );
      return Object.keys(SEARCH_ATTRIBUTES).every((name) => name in customAttributes);
    }),
    check('the schedules of the sweeps are missing', () =>
      temporal.within(CHECK_MS, () => areScheduled(temporal)),
    ),
    check('no worker polls', () => temporal.within(CHECK_MS, () => isPolled(temporal))),
  ]);
  return { postgres, temporal: server, searchAttributes, schedules, worker };
}

async function isPolled({ connection, namespace, taskQueue }: RouteDeps['temporal']): Promise<boolean> {
  const { pollers } = await connection.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: temporalProto.temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
  });
  const since = (Date.now() - POLLED_WITHIN_MS) / 1000;
  return pollers.some((poller) => Number(poller.lastAccessTime?.seconds ?? 0) > since);
}

/** A paused one is there: somebody wants it so. */
async function areScheduled({ client }: RouteDeps['temporal']): Promise<void> {
  await Promise.all(Object.values(SCHEDULE_IDS).map((id) => client.schedule.getHandle(id).describe()));
}

/** The endpoint is open, so the cause itself is not told. */
async function check(problem: string, look: () => Promise<unknown>): Promise<z.infer<typeof Check>> {
  const began = performance.now();
  const timeout = new Promise<false>((resolve) => setTimeout(resolve, CHECK_MS, false).unref());
  const ok = await Promise.race([
    look().then(
      (answer) => answer !== false,
      () => false,
    ),
    timeout,
  ]);
  return { ok, latencyMs: Math.round(performance.now() - began), ...(ok ? {} : { error: problem }) };
}
