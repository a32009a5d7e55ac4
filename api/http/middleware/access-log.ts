import type { Logger } from 'pino';
import type { Middleware } from '../environment.js';
import type { Metrics } from '../metrics.js';

/** One line and one count per request; bodies and queries are never written. */
export function accessLog({ logger, metrics }: { logger: Logger; metrics: Metrics }): Middleware {
  return async (c, next) => {
    const began = performance.now();
    c.set('log', logger.child({ requestId: c.get('requestId') }));
    c.set('actor', '');
    c.set('scope', 'open');
    c.set('route', '');
    await next();
    const ms = performance.now() - began;
    const labels = {
      method: methodLabel(c.req.method),
      route: c.get('route') || 'none',
      status: String(c.res.status),
    };
    metrics.requests.inc(labels);
    metrics.durations.observe({ method: labels.method, route: labels.route }, ms / 1000);
    const line = {
      ...labels,
      status: c.res.status,
      path: c.req.path,
      ms: Math.round(ms),
      address: c.get('address'),
      actor: c.get('actor'),
    };
    c.get('log').info(line, 'request');
  };
}

/** The method is the caller's text: unknown ones must not make new time series. */
function methodLabel(method: string): string {
  return ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'].includes(method) ? method : 'other';
}
