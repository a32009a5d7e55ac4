import { failure } from '../operation/failures.js';

/** How much of a change of version is tried on a copy, while the client serves; the most first. */
export const REHEARSALS = ['migrate', 'restore', 'off'] as const;
export type Rehearsal = (typeof REHEARSALS)[number];

export function requireRehearsal(rehearse: Rehearsal | undefined): void {
  if (rehearse === undefined || REHEARSALS.includes(rehearse)) return;
  throw failure('InvalidInput', `"rehearse" must be ${REHEARSALS.join(', ')}`);
}
