import { z } from '@hono/zod-openapi';
import { callerOf } from '../operations/caller.js';
import type { RouteDeps } from '../operations/deps.js';
import { json } from '../http/answers.js';
import { endpoint } from '../http/endpoint.js';
import { line, optional, wholeNumber } from '../http/fields.js';
import { cursorAnswer, LinkHeader } from '../http/pages.js';
import { Problem } from '../http/problem.js';
import type { Router } from '../http/router.js';
import { changeOwnPassword } from './admin-password.js';
import { listAuditPage } from './audit.js';

const tag = 'Access';

const CloudPasswordInput = z
  .object({
    // 10: with at most five guesses in a quarter of an hour, enough for a password that is no word
    password: line({ min: 10, max: 200 }).openapi({
      description: 'New password',
      example: 'correct horse battery',
    }),
    confirm_password: z
      .string('must be a single text')
      .max(200)
      .openapi({ description: 'The same again', example: 'correct horse battery' }),
  })
  .refine((input) => input.password === input.confirm_password, {
    path: ['confirm_password'],
    message: 'must be the same as password',
  })
  .openapi('CloudPasswordInput');

const AuditEntrySchema = z
  .object({
    id: z.number().int().openapi({ description: 'Number of the entry', example: 1 }),
    time: z
      .string()
      .openapi({ format: 'date-time', description: 'When', example: '2031-01-31T12:00:00.000Z' }),
    actor: z.string().openapi({ description: 'Who', example: 'admin:admin' }),
    address: z.string().openapi({ description: 'From where', example: '192.0.2.7' }),
    requestId: z
      .string()
      .openapi({ description: 'Request', example: '6b0c8a1e-7f57-4c32-9f55-3a1f4b6a1f10' }),
    route: z.string().openapi({ description: 'Method and path', example: 'POST /clients' }),
    subject: z.string().nullable().openapi({ description: 'What was changed', example: 'client:42' }),
    operationId: z.string().nullable().openapi({ description: 'Operation', example: null }),
    outcome: z.string().openapi({ description: 'What came of it', example: 'starting' }),
    detail: z.unknown().openapi({ description: 'More, by route', example: null }),
  })
  .openapi('AuditEntry');

const AuditQuery = z.object({
  subject: optional(line({ max: 200 })).openapi({
    description: 'Only about this subject',
    example: 'client:42',
  }),
  actor: optional(line({ max: 200 })).openapi({ description: 'Only by this actor', example: 'admin:admin' }),
  operation: optional(line({ max: 26 })).openapi({
    description: 'Only of this operation',
    example: '01K4Q2V7T3W9Z8X6C5B4N3M2A1',
  }),
  route: optional(line({ max: 200 })).openapi({
    description: 'Only of routes that begin so: method and path as called',
    example: 'POST /clients',
  }),
  from: optional(line({ max: 40 })).openapi({
    description: 'Only from this moment on; UTC without an offset',
    example: '2031-01-31',
  }),
  to: optional(line({ max: 40 })).openapi({
    description: 'Only before this moment; UTC without an offset',
    example: '2031-02-01T12:00:00Z',
  }),
  limit: optional(wholeNumber({ min: 1, max: 100 })).openapi({
    description: 'Entries, 50 by default',
    example: 50,
  }),
  cursor: optional(wholeNumber({ min: 1, max: Number.MAX_SAFE_INTEGER })).openapi({
    description: 'From the page before',
    example: 100,
  }),
});

const CHANGE_PASSWORD = endpoint({
  method: 'post',
  path: '/cloud_admin_password',
  tag,
  summary: "Change the administrator's password",
  description:
    'The password that this API is called with; the current one is that of the request. At least 10 characters.',
  body: CloudPasswordInput,
  scope: 'login',
  changes: true,
  responses: {
    200: json(
      'Changed',
      z
        .object({ changed: z.literal(true).openapi({ description: 'Always true', example: true }) })
        .openapi('PasswordChanged'),
    ),
  },
});

const AUDIT = endpoint({
  method: 'get',
  path: '/audit',
  tag,
  summary: 'Audit log',
  description:
    'Every change, newest first. No route reads a secret; one that did would have its reads here too.',
  query: AuditQuery,
  scope: 'admin',
  changes: false,
  responses: {
    200: json(
      'Entries',
      z
        .object({
          data: z.array(AuditEntrySchema).openapi({ description: 'Entries' }),
          cursor: z
            .number()
            .int()
            .nullable()
            .openapi({ description: 'For the next page; null at the end', example: null }),
        })
        .openapi('AuditPage'),
      LinkHeader,
    ),
  },
});

const SSH_KEY = endpoint({
  method: 'get',
  path: '/ssh_key',
  tag,
  summary: "Slipway's public SSH key",
  description: 'The line for `authorized_keys` on the hosts.',
  scope: 'read',
  changes: false,
  responses: {
    200: json(
      'The key',
      z
        .object({
          public_key: z.string().openapi({
            description: 'Line for authorized_keys',
            example: 'ssh-ed25519 AAAAC3Nz slipway',
          }),
        })
        .openapi('SshKey'),
    ),
  },
  problems: ['not_found'],
});

export function addAccessRoutes(router: Router, deps: RouteDeps): void {
  router.add(CHANGE_PASSWORD, async (c, { body }) => {
    await changeOwnPassword(deps, callerOf(c), body.password);
    return { status: 200, body: { changed: true } };
  });
  router.add(AUDIT, async (c, { query }) => cursorAnswer(c, await listAuditPage(deps, query)));
  router.add(SSH_KEY, async () => {
    const key = await deps.sshPublicKey();
    if (key === null)
      throw new Problem('not_found', { detail: 'The key is made at the first start of the worker' });
    return { status: 200, body: { public_key: key } };
  });
}
