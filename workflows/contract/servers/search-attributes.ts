import { defineSearchAttributeKey } from '@temporalio/common';

/** What happens on one server is found by it: `OpState='holding' AND ServerId='3'`. */
export const SERVER_ATTRIBUTES = { ServerId: defineSearchAttributeKey('ServerId', 'KEYWORD') } as const;
