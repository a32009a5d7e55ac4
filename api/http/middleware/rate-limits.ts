import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { Ctx, Middleware } from '../environment.js';
import { Problem } from '../problem.js';
import type { RateBound, RateLimits } from '../rate-bounds.js';
import { networkOf } from './client-address.js';

export type RateLimiter = ReturnType<typeof createRateLimiter>;

const WINDOW_SECONDS = 60;

/**
 * Counts requests in windows of a minute, in this process alone: a count that all processes share would cost each
 * request a round trip, and several processes are there to serve more. 429 with `Retry-After` over the bound; every
 * answer says what is left by `RateLimit-Limit`, `-Remaining` and `-Reset` (seconds).
 */
export function createRateLimiter(limits: RateLimits) {
  const windows = Object.fromEntries(
    Object.entries(limits).map(([bound, points]) => [
      bound,
      new RateLimiterMemory({ keyPrefix: bound, points, duration: WINDOW_SECONDS }),
    ]),
  ) as Record<RateBound, RateLimiterMemory>;

  return {
    async take(c: Ctx, bound: RateBound, who: string): Promise<void> {
      const state = await windows[bound].consume(who).catch(refusal);
      const reset = String(Math.ceil(state.msBeforeNext / 1000));
      c.header('RateLimit-Limit', String(limits[bound]));
      c.header('RateLimit-Remaining', String(state.remainingPoints));
      c.header('RateLimit-Reset', reset);
      if (state.consumedPoints <= limits[bound]) return;
      throw new Problem('too_many_requests', {
        detail: `At most ${limits[bound]} requests of this sort in a minute`,
        headers: { 'Retry-After': reset },
      });
    },
  };
}

/** What a caller asks is bounded; more tightly what changes something, or what a route has a bound of its own for. */
export function boundRequests(limiter: RateLimiter): Middleware {
  return async (c, next) => {
    if (c.get('scope') === 'open') return next();
    const who = `${c.get('actor')} ${networkOf(c.get('address'))}`;
    await limiter.take(c, 'requests', who);
    const method = c.req.method === 'HEAD' ? 'GET' : c.req.method;
    const route = c.get('routes').find((declared) => declared.method === method);
    const bound = route?.bound ?? (route?.changes === true ? 'changes' : undefined);
    if (bound !== undefined) await limiter.take(c, bound, who);
    return next();
  };
}

function refusal(error: unknown): RateLimiterRes {
  if (error instanceof RateLimiterRes) return error;
  throw error;
}
