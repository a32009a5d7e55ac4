import { createHmac, randomBytes } from 'node:crypto';
import type { Db } from '../../db/database.js';
import { findAdmin } from '../../db/queries/admins.js';
import type { Middleware } from '../environment.js';
import { networkMatcher } from '../middleware/client-address.js';
import { Problem } from '../problem.js';
import type { Router } from '../router.js';
import { verifyPassword } from './password.js';
import { createThrottle } from './throttle.js';

/** scrypt costs 40 ms per check: a credential that was right is believed for a minute. */
const CACHE_MS = 60_000;
/** There is one administrator; more entries are old passwords on their way out. */
const CACHE_MAX = 100;

export type Authenticator = ReturnType<typeof createAuthenticator>;

interface Credential {
  login: string;
  password: string;
}

/** Basic auth against the `admins` table. `forget` drops what is cached: called when a password changes. */
export function createAuthenticator({ db, adminAddresses }: { db: Db; adminAddresses: string[] }) {
  // of this process only: cached digests are worth nothing elsewhere
  const key = randomBytes(32);
  const cache = new Map<string, number>();
  const throttle = createThrottle();
  const mayCome = adminAddresses.length === 0 ? () => true : networkMatcher(adminAddresses);

  const digestOf = ({ login, password }: Credential) =>
    createHmac('sha256', key).update(`${login.length}:${login}${password}`).digest('base64');

  const remember = (digest: string) => {
    const oldest = cache.keys().next().value;
    if (cache.size >= CACHE_MAX && oldest !== undefined) cache.delete(oldest);
    cache.set(digest, Date.now() + CACHE_MS);
  };

  const check = async (credential: Credential, address: string): Promise<void> => {
    const digest = digestOf(credential);
    if ((cache.get(digest) ?? 0) > Date.now()) return;
    cache.delete(digest);
    const attempt = { address, login: credential.login, digest };
    const waitSeconds = await throttle.waitSeconds(attempt);
    if (waitSeconds > 0) {
      throw new Problem('too_many_requests', {
        detail: 'Too many failed logins',
        headers: { 'Retry-After': String(waitSeconds) },
      });
    }
    const admin = await findAdmin(db, credential.login);
    if (!(await verifyPassword(credential.password, admin?.passwordHash ?? null))) {
      await throttle.failed(attempt);
      throw unauthorized();
    }
    throttle.succeeded(attempt);
    remember(digest);
  };

  return {
    forget: () => cache.clear(),
    /** Every path needs a login unless its route is declared open: unknown paths do too. */
    middleware: ({ router }: { router: Router }): Middleware => {
      return async (c, next) => {
        if (router.at(c.req.path).some((route) => route.open)) return next();
        if (!mayCome(c.get('address'))) throw new Problem('address_not_allowed');
        const credential = readBasic(c.req.header('authorization'));
        if (credential === null) throw unauthorized();
        await check(credential, c.get('address'));
        c.set('actor', `admin:${credential.login}`);
        return next();
      };
    },
  };
}

function unauthorized(): Problem {
  return new Problem('unauthorized', {
    headers: { 'WWW-Authenticate': 'Basic realm="Slipway", charset="UTF-8"' },
  });
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
