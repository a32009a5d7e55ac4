import { defineSearchAttributeKey } from '@temporalio/common';

/** Keywords only: SQL visibility allows ten of them and no other type in that number. */
export const SEARCH_ATTRIBUTES = {
  OpId: defineSearchAttributeKey('OpId', 'KEYWORD'),
  OpKind: defineSearchAttributeKey('OpKind', 'KEYWORD'),
  OpState: defineSearchAttributeKey('OpState', 'KEYWORD'),
  ServerId: defineSearchAttributeKey('ServerId', 'KEYWORD'),
  ClientId: defineSearchAttributeKey('ClientId', 'KEYWORD'),
  FailedStep: defineSearchAttributeKey('FailedStep', 'KEYWORD'),
  Actor: defineSearchAttributeKey('Actor', 'KEYWORD'),
} as const;

export type SearchAttributeName = keyof typeof SEARCH_ATTRIBUTES;

/** Longer keywords vanish without an error on Postgres visibility. */
const KEYWORD_LIMIT = 255;

/** One pair for `typedSearchAttributes` or an upsert, cut to what the store keeps; `null` unsets. */
export function searchAttribute(name: SearchAttributeName, value: string | null) {
  return { key: SEARCH_ATTRIBUTES[name], value: value === null ? null : value.slice(0, KEYWORD_LIMIT) };
}
