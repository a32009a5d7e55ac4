import type { Ctx, Middleware } from '../environment.js';
import { Problem } from '../problem.js';
import { methodNotAllowed } from '../router.js';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Browsers replay Basic credentials on whatever a foreign page makes them fetch, so requests that change something
 * are refused when they come from another site, or when a browser merely prefetches.
 */
export function crossSiteGuard({ panelOrigins }: { panelOrigins: string[] }): Middleware {
  return async (c, next) => {
    const routes = c.get('routes');
    if (c.req.method === 'HEAD' && routes.some((route) => route.method === 'GET' && route.changes)) {
      throw methodNotAllowed(routes);
    }
    const changes =
      !SAFE.has(c.req.method) || routes.some((route) => route.method === c.req.method && route.changes);
    if (changes) {
      if (isPrefetch(c)) throw new Problem('prefetch');
      if (isForeign(c, panelOrigins)) throw new Problem('cross_site');
    }
    await next();
  };
}

function isPrefetch(c: Ctx): boolean {
  const purposes = ['sec-purpose', 'purpose', 'x-purpose', 'x-moz'].map((name) => c.req.header(name) ?? '');
  return purposes.some((purpose) => /prefetch|prerender|preview/i.test(purpose));
}

function isForeign(c: Ctx, panelOrigins: string[]): boolean {
  const origin = c.req.header('origin');
  if (origin !== undefined && panelOrigins.includes(origin)) return false;
  const site = c.req.header('sec-fetch-site');
  if (site === 'cross-site' || site === 'same-site') return true;
  if (origin === undefined) return false;
  // the scheme may differ behind a proxy that ends TLS
  return !URL.canParse(origin) || new URL(origin).host !== (c.req.header('host') ?? new URL(c.req.url).host);
}
