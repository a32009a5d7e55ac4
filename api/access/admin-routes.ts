import { z } from '@hono/zod-openapi';
import { setAdminPassword } from '../../db/queries/admins.js';
import { listAudit, recordAudit } from '../../db/queries/audit.js';
import { hashPassword } from '../http/auth/password.js';
import { auditOf } from '../operations/caller.js';
import { parseMoment } from '../http/dates.js';
import type { RouteDeps } from '../operations/deps.js';
import { line, optional, wholeNumber } from '../http/fields.js';
import { Problem } from '../http/problem.js';
import { invalidInput, json, type Router } from '../http/router.js';
import { LinkHeader, linkTo } from '../http/pages.js';

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

export function addAccessRoutes(router: Router, deps: RouteDeps): void {
  const { db } = deps;
  router.add(
    {
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
    },
    async (c, { body }) => {
      const login = c.get('actor').replace(/^admin:/, '');
      const passwordHash = await hashPassword(body.password);
      await db.transaction(async (tx) => {
        await setAdminPassword(tx, { login, passwordHash });
        await recordAudit(tx, auditOf(c, { subject: `admin:${login}`, outcome: 'changed' }));
      });
      return c.json({ changed: true as const });
    },
  );

  router.add(
    {
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
    },
    async (c, { query }) => {
      const { cursor, limit = 50, ...filter } = query;
      const from = momentOf('from', query.from);
      const to = momentOf('to', query.to);
      const rows = await listAudit(db, { ...filter, from, to, before: cursor, limit: limit + 1 });
      const page = rows.slice(0, limit);
      const next = rows.length > limit ? (page.at(-1)?.id ?? null) : null;
      if (next !== null) c.header('Link', `<${linkTo(c, { cursor: String(next) })}>; rel="next"`);
      return c.json({ data: page.map((row) => ({ ...row, time: row.time.toISOString() })), cursor: next });
    },
  );

  router.add(
    {
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
    },
    async (c) => {
      const key = await deps.sshPublicKey();
      if (key === null)
        throw new Problem('not_found', { detail: 'The key is made at the first start of the worker' });
      return c.json({ public_key: key });
    },
  );
}

function momentOf(field: string, value: string | undefined): Date | undefined {
  const moment = value === undefined ? undefined : parseMoment(value, 'UTC');
  if (moment === null) throw invalidInput([{ field, message: 'must be a date' }]);
  return moment;
}
