import { defineSearchAttributeKey } from '@temporalio/common';

/** Operations of one client are found by it: `ClientId='42'`. */
export const CLIENT_ATTRIBUTES = { ClientId: defineSearchAttributeKey('ClientId', 'KEYWORD') } as const;
