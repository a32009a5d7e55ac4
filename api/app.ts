import { bodyLimit } from 'hono/body-limit';
import { cors } from 'hono/cors';
import { requestId } from 'hono/request-id';
import { secureHeaders } from 'hono/secure-headers';
import { authenticator } from './http/auth/authenticate.js';
import { BODY_LIMIT_BYTES } from './http/body.js';
import type { AppDeps, AppSettings, RouteDeps } from './operations/deps.js';
import type { Ctx, Middleware } from './http/environment.js';
import { describeError, problemOf } from './http/errors.js';
import { addHealthRoutes } from './operations/health.js';
import { createMetrics } from './http/metrics.js';
import { accessLog } from './http/middleware/access-log.js';
import { clientAddress } from './http/middleware/client-address.js';
import { crossSiteGuard } from './http/middleware/cross-site.js';
import { createWatches } from './operations/watches.js';
import { boundRequests, createRateLimiter } from './http/middleware/rate-limits.js';
import { createProbes } from './operations/probes.js';
import { Problem, problemBody, PROBLEMS } from './http/problem.js';
import { createRouter, matchRoutes, methodNotAllowed, type Router } from './http/router.js';
import { addAccessRoutes } from './access/admin-routes.js';
import { addApiKeyRoutes } from './access/api-key-routes.js';
import { addClientChangeRoutes } from './clients/change-routes.js';
import { addClientVerbRoutes } from './clients/verb-routes.js';
import { addClientMoveRoutes } from './clients/move-routes.js';
import { addClientRoutes } from './clients/routes.js';
import { addFanOutRoutes } from './servers/fan-out-routes.js';
import { addClientVersionRoutes } from './clients/version-routes.js';
import { addDocumentRoutes } from './operations/documents.js';
import { addOperationStreamRoutes } from './operations/stream-routes.js';
import { addOperationCleanupRoutes } from './operations/cleanup-routes.js';
import { addOperationTimelineRoutes } from './operations/timeline-routes.js';
import { addOperationRoutes } from './operations/routes.js';
import { addServerChangeRoutes } from './servers/change-routes.js';
import { addServerRoutes } from './servers/routes.js';

/** The HTTP API. Reads no environment and opens nothing: everything comes with `deps`. */
export function createApp(deps: AppDeps): Router {
  const { settings, database, temporal, logger } = deps;
  const { db, sql } = database;
  const routeDeps: RouteDeps = {
    ...deps,
    db,
    metrics: createMetrics({ db }),
    watches: createWatches({ sql, logger, stopping: deps.stopping }),
    probes: createProbes({ temporal }),
  };
  const router = createRouter();
  const limiter = createRateLimiter(settings.rateLimits);
  const { hono } = router;
  // the order is the contract: an answer of any layer has an id, is logged and has the headers
  hono.use(matchRoutes(router));
  hono.use(requestId({ limitLength: 255 }));
  hono.use(clientAddress(settings));
  hono.use(accessLog({ logger, metrics: routeDeps.metrics }));
  hono.use(generalHeaders());
  hono.use(corsOf(settings));
  hono.use(boundBodies());
  hono.use(crossSiteGuard(settings));
  hono.use(authenticator({ db, secrets: deps.secrets, limiter, adminAddresses: settings.adminAddresses }));
  hono.use(boundRequests(limiter));
  hono.onError((error, c) => answerError(error, c));
  hono.notFound((c) => answerError(missing(c), c));
  addRoutes(router, routeDeps);
  return router;
}

/** Declares every route; the document needs no more than this. */
export function addRoutes(router: Router, deps: RouteDeps): void {
  // before `/clients/{id}`, which would match `/clients/reconfigurate`
  addFanOutRoutes(router, deps);
  addClientRoutes(router, deps);
  addClientChangeRoutes(router, deps);
  addClientVerbRoutes(router, deps);
  addClientVersionRoutes(router, deps);
  addClientMoveRoutes(router, deps);
  addServerRoutes(router, deps);
  addServerChangeRoutes(router, deps);
  addOperationRoutes(router, deps);
  addOperationStreamRoutes(router, deps);
  addOperationCleanupRoutes(router, deps);
  addOperationTimelineRoutes(router, deps);
  addAccessRoutes(router, deps);
  addApiKeyRoutes(router, deps);
  addHealthRoutes(router, deps);
  addDocumentRoutes(router, deps);
}

/** Against what a browser could make of an answer; a route that sets one of them itself knows better. */
function generalHeaders(): Middleware {
  return secureHeaders({
    contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    overwrite: false,
  });
}

/** Only browsers ask: what Hono's own sets before there is an answer would make a second one of each. */
function corsOf({ panelOrigins }: AppSettings): Middleware {
  const forBrowsers = cors({
    origin: (origin) => (panelOrigins.includes(origin) ? origin : null),
    credentials: true,
    allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
    allowHeaders: [
      'Authorization',
      'Content-Type',
      'Idempotency-Key',
      'If-None-Match',
      'Last-Event-ID',
      'Prefer',
      'X-Request-Id',
    ],
    exposeHeaders: [
      'ETag',
      'Link',
      'Location',
      'Preference-Applied',
      'RateLimit-Limit',
      'RateLimit-Remaining',
      'RateLimit-Reset',
      'Retry-After',
      'X-Request-Id',
    ],
  });
  return async (c, next) => {
    if (c.req.header('origin') !== undefined || c.req.method === 'OPTIONS') return forBrowsers(c, next);
    await next();
    c.res.headers.append('Vary', 'Origin');
    return undefined;
  };
}

/** Where no body is read, looking for one would only make a whole `Request` of what the server has. */
function boundBodies(): Middleware {
  const bound = bodyLimit({ maxSize: BODY_LIMIT_BYTES, onError: tooLarge });
  return (c, next) => (['GET', 'HEAD'].includes(c.req.method) ? next() : bound(c, next));
}

function tooLarge(): never {
  throw new Problem('body_too_large', { detail: `At most ${BODY_LIMIT_BYTES / 1024} KB` });
}

function missing(c: Ctx): Problem {
  const routes = c.get('routes');
  if (routes.length === 0) return new Problem('not_found', { detail: 'There is no such route' });
  return methodNotAllowed(routes);
}

function answerError(error: unknown, c: Ctx): Response {
  const problem = problemOf(error);
  const [status] = PROBLEMS[problem.code];
  if (status >= 500)
    c.get('log')?.error({ error: describeError(problem.options.cause ?? error) }, problem.code);
  const body = problemBody({ problem, path: c.req.path, requestId: c.get('requestId') });
  return c.body(JSON.stringify(body), status, {
    'Content-Type': 'application/problem+json',
    ...problem.options.headers,
  });
}
