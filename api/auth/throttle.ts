import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

/** Five mistakes are a person's; then the pair of address and name waits for the rest of the quarter of an hour. */
const FAILURES = { points: 5, duration: 15 * 60 };
/** How long a credential that worked from an address is taken again, whatever others try from there. */
const KNOWN_GOOD_MS = 24 * 60 * 60_000;
/** Each entry is some 100 bytes. */
const KNOWN_GOOD_MAX = 10_000;

interface Attempt {
  address: string;
  login: string;
  /** keyed digest of the whole credential */
  digest: string;
}

const pair = ({ address, login }: Attempt) => `${address} ${login.slice(0, 64)}`;
const known = ({ address, digest }: Attempt) => `${address} ${digest}`;

/**
 * Slows guessing per pair of address and name. A credential that lately succeeded from the same address is never
 * slowed: whoever guesses behind the same proxy presents another one.
 */
export function createThrottle(now: () => number = Date.now) {
  const failures = new RateLimiterMemory({ keyPrefix: 'login', ...FAILURES });
  const knownGood = new Map<string, number>();

  return {
    /** Seconds to wait before this attempt is looked at, or 0. */
    async waitSeconds(attempt: Attempt): Promise<number> {
      const until = knownGood.get(known(attempt)) ?? 0;
      if (until > now()) return 0;
      const state = await failures.get(pair(attempt));
      if (state === null || state.consumedPoints < FAILURES.points) return 0;
      return Math.max(1, Math.ceil(state.msBeforeNext / 1000));
    },
    async failed(attempt: Attempt): Promise<void> {
      knownGood.delete(known(attempt));
      await failures.consume(pair(attempt)).catch((refused: unknown) => {
        if (!(refused instanceof RateLimiterRes)) throw refused;
      });
    },
    succeeded(attempt: Attempt): void {
      const oldest = knownGood.keys().next().value;
      if (knownGood.size >= KNOWN_GOOD_MAX && oldest !== undefined) knownGood.delete(oldest);
      knownGood.delete(known(attempt));
      knownGood.set(known(attempt), now() + KNOWN_GOOD_MS);
    },
  };
}
