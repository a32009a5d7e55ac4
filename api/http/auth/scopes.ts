import type { ApiKeyScope } from '../../../db/schema/index.js';

/** What a key may do; each holds those before it. */
export const KEY_SCOPES = ['read', 'operate', 'admin'] as const satisfies ApiKeyScope[];

/**
 * Of a route, what it needs; of a caller, what it holds. `open`: nobody in particular; `login`: the administrator;
 * `client`: held by a client's own instance, needed by none: it covers nothing, and only routes that say so admit it.
 */
export type Scope = 'open' | ApiKeyScope | 'login' | 'client';

const ORDER: readonly Scope[] = ['open', ...KEY_SCOPES, 'login'];

/** Denies by default: false for a scope that nobody declared. */
export function covers(held: Scope, needed: Scope): boolean {
  const rank = ORDER.indexOf(needed);
  return rank >= 0 && ORDER.indexOf(held) >= rank;
}
