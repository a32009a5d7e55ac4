import { defineSearchAttributeKey } from '@temporalio/common';

/** What the engine says of every operation. Keywords only: SQL visibility allows ten of them and no other type in that number. */
export const ENGINE_ATTRIBUTES = {
  OpId: defineSearchAttributeKey('OpId', 'KEYWORD'),
  OpKind: defineSearchAttributeKey('OpKind', 'KEYWORD'),
  OpState: defineSearchAttributeKey('OpState', 'KEYWORD'),
  FailedStep: defineSearchAttributeKey('FailedStep', 'KEYWORD'),
  Actor: defineSearchAttributeKey('Actor', 'KEYWORD'),
} as const;

/** Longer keywords vanish without an error on Postgres visibility. */
const KEYWORD_LIMIT = 255;

/** One pair for `typedSearchAttributes` or an upsert, cut to what the store keeps; `null` unsets. */
export function searchAttribute(name: string, value: string | null) {
  return {
    key: defineSearchAttributeKey(name, 'KEYWORD'),
    value: value === null ? null : value.slice(0, KEYWORD_LIMIT),
  };
}
