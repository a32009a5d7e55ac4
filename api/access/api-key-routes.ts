import { z } from '@hono/zod-openapi';
import { callerOf } from '../operations/caller.js';
import type { RouteDeps } from '../operations/deps.js';
import { json } from '../http/answers.js';
import { KEY_SCOPES } from '../http/auth/scopes.js';
import { endpoint } from '../http/endpoint.js';
import { line, oneOf, optional, pattern } from '../http/fields.js';
import type { Router } from '../http/router.js';
import { listKeys, makeKey, revokeKey } from './api-keys.js';

const tag = 'Access';
const KEY_ID = /^[0-9A-HJKMNP-TV-Z]{26}$/;
const EXAMPLE_ID = '01K4Q2V7T3W9Z8X6C5B4N3M2A1';

const time = (description: string) =>
  z.string().openapi({ format: 'date-time', description, example: '2031-01-31T12:00:00.000Z' });

const ApiKeySchema = z
  .object({
    id: z.string().openapi({ description: 'Names the key in audit log and operations', example: EXAMPLE_ID }),
    name: z.string().openapi({ description: 'What it is for', example: 'billing' }),
    scope: z.enum(KEY_SCOPES).openapi({ description: 'What it may do', example: 'operate' }),
    created_by: z.string().openapi({ description: 'Who made it', example: 'admin:admin' }),
    created_at: time('When it was made'),
    expires_at: time('From when on it is refused').nullable(),
    last_used_at: time('Last use, to the minute').nullable(),
  })
  .openapi('ApiKey');

const NewApiKeySchema = ApiKeySchema.extend({
  key: z.string().openapi({
    description: 'The key itself: shown this once, not kept',
    example: `slipway_${EXAMPLE_ID}_${'A'.repeat(43)}`,
  }),
}).openapi('NewApiKey');

const ApiKeyInput = z
  .object({
    name: line({ min: 1, max: 64 }).openapi({
      description: 'What it is for; no two are alike',
      example: 'billing',
    }),
    scope: oneOf(KEY_SCOPES).openapi({
      description:
        '`read`: reads; `operate`: starts operations and decides; `admin`: servers, keys, audit log. Each has those before it',
      example: 'operate',
    }),
    expires_at: optional(line({ max: 40 })).openapi({
      description: 'From when on it is refused; never without. UTC without an offset',
      example: '2031-01-31',
    }),
  })
  .openapi('ApiKeyInput');

const KeyParams = z.object({
  id: pattern(KEY_ID, 26, 'must be the id of a key').openapi({
    param: { name: 'id', in: 'path' },
    description: 'Id of the key',
    example: EXAMPLE_ID,
  }),
});

const LIST = endpoint({
  method: 'get',
  path: '/api_keys',
  tag,
  summary: 'List API keys',
  description: 'Keys of tools with their last use, oldest first; those that have expired too.',
  scope: 'admin',
  changes: false,
  responses: {
    200: json(
      'The keys',
      z.object({ data: z.array(ApiKeySchema).openapi({ description: 'Keys' }) }).openapi('ApiKeyList'),
    ),
  },
});

const MAKE = endpoint({
  method: 'post',
  path: '/api_keys',
  tag,
  summary: 'Make an API key',
  description: 'For a tool, which sends it as `x-api-key` or `Authorization: Bearer`.',
  body: ApiKeyInput,
  scope: 'admin',
  changes: true,
  responses: { 201: json('The key, shown this once', NewApiKeySchema) },
  problems: ['name_taken'],
});

const REVOKE = endpoint({
  method: 'delete',
  path: '/api_keys/{id}',
  tag,
  summary: 'Revoke an API key',
  description: 'It is refused from now on. What it did stays in the audit log.',
  params: KeyParams,
  scope: 'admin',
  changes: true,
  responses: { 204: { description: 'Revoked' } },
});

export function addApiKeyRoutes(router: Router, deps: RouteDeps): void {
  router.add(LIST, async () => ({ status: 200, body: { data: await listKeys(deps) } }));
  router.add(MAKE, async (c, { body: { name, scope, expires_at: expires } }) => ({
    status: 201,
    body: await makeKey(deps, callerOf(c), { name, scope, expires }),
  }));
  router.add(REVOKE, async (c, { params }) => {
    await revokeKey(deps, callerOf(c), params.id);
    return { status: 204 };
  });
}
