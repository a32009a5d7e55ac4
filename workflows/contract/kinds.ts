import { CLIENT_KINDS } from './clients/kinds.js';
import { ENGINE_KINDS } from './operation/kinds.js';
import { SERVER_KINDS } from './servers/kinds.js';
import type { Definition } from './operation/definition.js';

/** Every kind of operation that there is, of all wings. */
export const KINDS = { ...ENGINE_KINDS, ...CLIENT_KINDS, ...SERVER_KINDS };
export type OperationKind = keyof typeof KINDS;

/** Of a kind as a row or a caller names it; undefined for one that no workflow runs. */
export function findKind(kind: string): Definition<never> | undefined {
  return Object.hasOwn(KINDS, kind) ? KINDS[kind as OperationKind] : undefined;
}

/** The workflow that runs a kind; throws where a row names one that nothing runs. */
export function workflowOf(kind: string): string {
  const found = findKind(kind);
  if (found === undefined) throw new Error(`no workflow runs operations of kind ${kind}`);
  return found.workflow;
}
