import { z } from '@hono/zod-openapi';
import { type ApiKeyRow, deleteApiKey, insertApiKey, listApiKeys } from '../../db/queries/api-keys.js';
import { recordAudit } from '../../db/queries/audit.js';
import { makeApiKey } from '../http/auth/api-keys.js';
import { KEY_SCOPES } from '../http/auth/scopes.js';
import { auditOf } from '../operations/caller.js';
import { parseMoment } from '../http/dates.js';
import type { RouteDeps } from '../operations/deps.js';
import { line, oneOf, optional, pattern } from '../http/fields.js';
import { Problem } from '../http/problem.js';
import { invalidInput, json, type Router } from '../http/router.js';

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

export function addApiKeyRoutes(router: Router, { db }: RouteDeps): void {
  router.add(
    {
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
    },
    async (c) => c.json({ data: (await listApiKeys(db)).map(answerOf) }),
  );

  router.add(
    {
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
    },
    async (c, { body: { name, scope, expires_at } }) => {
      const expiresAt = readExpiry(expires_at);
      const { id, digest, key } = makeApiKey();
      const row = await db.transaction(async (tx) => {
        const made = await insertApiKey(tx, {
          id,
          name,
          scope,
          digest,
          expiresAt,
          createdBy: c.get('actor'),
        });
        if (made === undefined)
          throw new Problem('name_taken', { detail: `There is a key named "${name}" already` });
        await recordAudit(
          tx,
          auditOf(c, { subject: `key:${id}`, outcome: 'created', detail: { name, scope } }),
        );
        return made;
      });
      return c.json({ ...answerOf(row), key }, 201);
    },
  );

  router.add(
    {
      method: 'delete',
      path: '/api_keys/{id}',
      tag,
      summary: 'Revoke an API key',
      description: 'It is refused from now on. What it did stays in the audit log.',
      params: KeyParams,
      scope: 'admin',
      changes: true,
      responses: { 204: { description: 'Revoked' } },
    },
    async (c, { params: { id } }) => {
      await db.transaction(async (tx) => {
        const row = await deleteApiKey(tx, id);
        if (row === undefined) throw new Problem('not_found', { detail: `There is no key ${id}` });
        const { name, scope } = row;
        await recordAudit(
          tx,
          auditOf(c, { subject: `key:${id}`, outcome: 'revoked', detail: { name, scope } }),
        );
      });
      return c.body(null, 204);
    },
  );
}

function readExpiry(value: string | undefined): Date | null {
  if (value === undefined) return null;
  const moment = parseMoment(value, 'UTC');
  if (moment !== null && moment.getTime() > Date.now()) return moment;
  throw invalidInput([{ field: 'expires_at', message: 'must be a date in the future' }]);
}

function answerOf({ id, name, scope, createdBy, createdAt, expiresAt, lastUsedAt }: ApiKeyRow) {
  return {
    id,
    name,
    scope,
    created_by: createdBy,
    created_at: createdAt.toISOString(),
    expires_at: expiresAt?.toISOString() ?? null,
    last_used_at: lastUsedAt?.toISOString() ?? null,
  };
}
