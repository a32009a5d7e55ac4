import { createHmac, randomBytes } from 'node:crypto';
import type { Db } from '../../../db/database.js';
import type { Secrets } from '../../../db/secrets.js';
import { findAdmin } from '../../../db/queries/admins.js';
import type { Ctx, Middleware } from '../environment.js';
import { networkMatcher, networkOf } from '../middleware/client-address.js';
import type { RateLimiter } from '../middleware/rate-limits.js';
import { SUBDOMAIN } from '../fields.js';
import { Problem } from '../problem.js';
import { verifyApiKey } from './api-keys.js';
import { findClientByToken, refuseUpdate } from './client-tokens.js';
import { verifyPassword } from './password.js';
import type { Scope } from './scopes.js';
import { createThrottle } from './throttle.js';

/** scrypt costs 40 ms per check: a credential that was right is believed for a minute. */
const CACHE_MS = 60_000;
/** There is one administrator, at a few addresses in a minute. */
const CACHE_MAX = 1_000;

interface Credential {
  login: string;
  password: string;
}

interface Caller {
  actor: string;
  scope: Scope;
}

interface AuthenticatorOptions {
  db: Db;
  secrets: Pick<Secrets, 'reveal'>;
  adminAddresses: string[];
  limiter: RateLimiter;
}

/**
 * Who calls: a key of `x-api-key` or `Bearer`, or the administrator by Basic auth; where a route says so, a client's own
 * instance by its token as `Bearer`. Every path needs one of them unless
 * its route is declared open: unknown paths do too. Sets `actor` and `scope`.
 */
export function authenticator({ db, secrets, adminAddresses, limiter }: AuthenticatorOptions): Middleware {
  const throttle = createThrottle(db);
  const cache = createCache();
  const mayCome = adminAddresses.length === 0 ? () => true : networkMatcher(adminAddresses);

  const byKey = async (c: Ctx, key: string): Promise<Caller> => {
    const row = await verifyApiKey(db, key);
    if (row !== undefined) return { actor: `key:${row.id}`, scope: row.scope };
    await limiter.take(c, 'strangers', networkOf(c.get('address')));
    throw unauthorized();
  };

  const byToken = async (c: Ctx, token: string): Promise<Caller> => {
    const began = performance.now();
    const client = await findClientByToken({ db, secrets }, { subdomain: subdomainOf(c), token });
    if (client !== undefined) return { actor: `client:${client.id}`, scope: 'client' };
    await limiter.take(c, 'strangers', networkOf(c.get('address')));
    throw await refuseUpdate(began);
  };

  const byPassword = async (c: Ctx, credential: Credential): Promise<Caller> => {
    const { login, password } = credential;
    const caller: Caller = { actor: `admin:${login}`, scope: 'login' };
    const hash = (await findAdmin(db, login))?.passwordHash ?? null;
    const place = { network: networkOf(c.get('address')), login };
    const entry = cache.keyOf([place.network, login, password, hash]);
    if (cache.has(entry)) return caller;
    const known = await throttle.isKnown(place);
    if (!known) {
      await limiter.take(c, 'strangers', place.network);
      await throttle.count(place);
    }
    if (await verifyPassword(password, hash)) {
      await throttle.succeeded(place);
      cache.add(entry);
      return caller;
    }
    if (known) await throttle.count(place);
    throw unauthorized();
  };

  const identify = async (c: Ctx): Promise<Caller> => {
    const token = readToken(c);
    if (token !== undefined) return byToken(c, token);
    const key = readKey(c);
    if (key !== undefined) return byKey(c, key);
    if (!mayCome(c.get('address'))) throw new Problem('address_not_allowed');
    const credential = readBasic(c.req.header('authorization'));
    if (credential !== null) return byPassword(c, credential);
    await limiter.take(c, 'strangers', networkOf(c.get('address')));
    throw unauthorized();
  };

  return async (c, next) => {
    if (c.get('routes').some((route) => route.scope === 'open')) {
      c.set('scope', 'open');
      return next();
    }
    const { actor, scope } = await identify(c);
    c.set('actor', actor);
    c.set('scope', scope);
    return next();
  };
}

/** Of what was right, as digests: of address and stored hash too, so that a changed password ends them all. */
function createCache() {
  // of this process only: cached digests are worth nothing elsewhere
  const key = randomBytes(32);
  const until = new Map<string, number>();
  return {
    keyOf: (parts: (string | null)[]) =>
      createHmac('sha256', key).update(JSON.stringify(parts)).digest('base64'),
    has: (entry: string) => (until.get(entry) ?? 0) > Date.now(),
    add(entry: string) {
      const oldest = until.keys().next().value;
      if (until.size >= CACHE_MAX && oldest !== undefined) until.delete(oldest);
      until.delete(entry);
      until.set(entry, Date.now() + CACHE_MS);
    },
  };
}

function unauthorized(): Problem {
  return new Problem('unauthorized', {
    headers: { 'WWW-Authenticate': 'Basic realm="Slipway", charset="UTF-8"' },
  });
}

function readKey(c: Ctx): string | undefined {
  return c.req.header('x-api-key') ?? /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
}

/** What is no key of ours, on a route that clients ask by themselves. */
function readToken(c: Ctx): string | undefined {
  const asked = c.get('routes').some((route) => route.clientTokens && route.method === c.req.method);
  if (!asked || c.req.header('x-api-key') !== undefined) return undefined;
  const token = readKey(c);
  return token?.startsWith('slipway_') === true ? undefined : token;
}

/** Of `/clients/<subdomain>/…`; empty when it cannot be one. */
function subdomainOf(c: Ctx): string {
  const part = c.req.path.split('/')[2] ?? '';
  return SUBDOMAIN.test(part) ? part : '';
}

/** RFC 7617: the first colon ends the name; both are UTF-8. */
function readBasic(header: string | undefined): Credential | null {
  const encoded = /^Basic ([A-Za-z0-9+/=_-]{1,1024})$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return null;
  const decoded = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  // Postgres takes no NUL in a text
  if (colon < 1 || decoded.includes('\0')) return null;
  return { login: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}
