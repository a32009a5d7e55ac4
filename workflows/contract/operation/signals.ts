import { cleanText } from './failures.js';
import type { HoldAction } from './operation.js';

/** Signal names are part of the contract: operators send them from any Temporal client. */
export const DECISION_SIGNALS = ['retry', 'skip', 'rollback'] as const satisfies readonly HoldAction[];

export const VIEW_QUERY = 'view';

/** Payload of `retry`, `skip` and `rollback`; every field is optional, so that `--input '{}'` works. */
export interface DecisionPayload {
  id?: string;
  note?: string;
  actor?: string;
  /** changed input, only fields that the holding step declares as editable */
  input?: Record<string, unknown>;
  operation?: string;
  hold?: number;
}

/** A note is a sentence or two; every decision is kept in history and in the operation's row. */
const TEXT_LIMIT = 1_000;

/** Reads whatever a signal carried. Never throws: one throw in a handler bricks the workflow. */
export function readDecision(payload: unknown): DecisionPayload | { malformed: string } {
  if (payload === undefined || payload === null) return {};
  if (typeof payload !== 'object' || Array.isArray(payload))
    return { malformed: 'the payload is not an object' };
  const raw = payload as Record<string, unknown>;
  const decision: DecisionPayload = {};
  for (const field of ['id', 'note', 'actor', 'operation'] as const) {
    const value = raw[field];
    if (value === undefined || value === null) continue;
    if (typeof value !== 'string' || value.length > TEXT_LIMIT)
      return { malformed: `"${field}" is not a short text` };
    decision[field] = cleanText(value);
  }
  if (raw['hold'] !== undefined && raw['hold'] !== null) {
    if (!Number.isInteger(raw['hold'])) return { malformed: '"hold" is not a whole number' };
    decision.hold = raw['hold'] as number;
  }
  if (raw['input'] !== undefined && raw['input'] !== null) {
    if (typeof raw['input'] !== 'object' || Array.isArray(raw['input']))
      return { malformed: '"input" is not an object' };
    decision.input = raw['input'] as Record<string, unknown>;
  }
  return decision;
}
