import { CLIENT_KINDS } from './clients/kinds.js';
import { ENGINE_KINDS } from './operation/kinds.js';
import { SERVER_KINDS } from './servers/kinds.js';
import type { Definition } from './operation/definition.js';

/** Every kind of operation that there is, of all wings. */
export const KINDS = { ...ENGINE_KINDS, ...CLIENT_KINDS, ...SERVER_KINDS };
export type OperationKind = keyof typeof KINDS;

/** Subjects and places with a page of their own in the API. */
export const PAGES: Readonly<Record<string, string>> = { client: '/clients', server: '/servers' };

/** Of a kind as a row or a caller names it; undefined for one that no workflow runs. */
export function findKind(kind: string): Definition<never> | undefined {
  return Object.hasOwn(KINDS, kind) ? KINDS[kind as OperationKind] : undefined;
}

/** The kind that a row names; throws where nothing runs it. */
export function requireKind(kind: string): Definition<never> {
  const found = findKind(kind);
  if (found === undefined) throw new Error(`no workflow runs operations of kind ${kind}`);
  return found;
}
