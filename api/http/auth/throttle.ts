import { createHash } from 'node:crypto';
import { lt } from 'drizzle-orm';
import { RateLimiterDrizzle, RateLimiterRes } from 'rate-limiter-flexible';
import type { Db } from '../../../db/database.js';
import { loginCounts } from '../../../db/schema/index.js';
import { Problem } from '../problem.js';

/** Five mistakes are a person's; then the pair of address and name waits for the rest of the quarter of an hour. */
const FAILURES = { points: 5, duration: 15 * 60 };
/** Whoever logged in from an address yesterday does so again today. */
const KNOWN_SECONDS = 24 * 60 * 60;

export interface LoginPlace {
  /** the caller's network */
  network: string;
  login: string;
}

/** People type passwords into the wrong field: what was given as name is not kept. */
const pair = ({ network, login }: LoginPlace) =>
  createHash('sha256').update(`${network}\0${login}`).digest('base64url');

/**
 * Slows guessing per pair of address and name, in Postgres: for all processes together and over restarts. Where a login
 * lately succeeded, its owner is never slowed by others behind the same address.
 */
export function createThrottle(db: Db) {
  const store = { storeClient: db, schema: loginCounts, clearExpiredByTimeout: false };
  const failures = new RateLimiterDrizzle({ ...store, keyPrefix: 'failed', ...FAILURES });
  const known = new RateLimiterDrizzle({ ...store, keyPrefix: 'known', points: 1, duration: KNOWN_SECONDS });

  return {
    /** Whether the name logged in from there within a day. */
    async isKnown(place: LoginPlace): Promise<boolean> {
      return (await known.get(pair(place))) !== null;
    },
    /** Counts a guess as failed; before it is looked at, so that many at once are no way around. 429 over the bound. */
    async count(place: LoginPlace): Promise<void> {
      await db.delete(loginCounts).where(lt(loginCounts.expire, new Date()));
      await failures.consume(pair(place)).catch(slowed);
    },
    async succeeded(place: LoginPlace): Promise<void> {
      await known.set(pair(place), 1, KNOWN_SECONDS);
      await failures.delete(pair(place));
    },
  };
}

function slowed(refused: unknown): never {
  if (!(refused instanceof RateLimiterRes)) throw refused;
  throw new Problem('too_many_requests', {
    detail: 'Too many failed logins',
    headers: { 'Retry-After': String(Math.max(1, Math.ceil(refused.msBeforeNext / 1000))) },
  });
}
