import { z } from '@hono/zod-openapi';
import { listBackups, listBillingTypes, listClients } from '../../db/queries/clients.js';
import { findOpenOperations } from '../../db/queries/operation-reads.js';
import { subjectId } from '../../workflows/contract/operation/ids.js';
import { clientAnswer } from './answer.js';
import { LOG_LINES, readClient, readCreateLog } from './read.js';
import { parseMoment } from '../http/dates.js';
import type { RouteDeps } from '../operations/deps.js';
import { flag, line, oneOf, optional, pattern, rowId, VERSION_TAG, wholeNumber } from '../http/fields.js';
import { invalidInput, json, type Router } from '../http/router.js';
import {
  BackupSchema,
  BillingTypesSchema,
  CLIENT_STATUSES,
  ClientSchema,
  CreateLogSchema,
} from './schemas.js';
import { IdParams, LinkHeader, pageAnswer, pageOf, PageQuery, pageSchema } from '../http/pages.js';

const tag = 'Clients';

const ClientQuery = PageQuery.extend({
  server_id: optional(rowId()).openapi({ description: 'Only on this server', example: 3 }),
  status: optional(oneOf(CLIENT_STATUSES)).openapi({ description: 'Only in this status', example: 'active' }),
  q: optional(line({ max: 100 })).openapi({
    description: 'Part of name, short name, subdomain or e-mail',
    example: 'acme',
  }),
  version: optional(pattern(VERSION_TAG, 128, 'must be a version tag')).openapi({
    description: 'Only of this version',
    example: '1.3-master',
  }),
  expires_before: optional(line({ max: 40 })).openapi({
    description: 'Only with a licence that ends before; UTC without an offset',
    example: '2031-01-31',
  }),
});

const LogQuery = z.object({
  after: optional(wholeNumber({ min: 0, max: 2_147_483_647 })).openapi({
    description: 'Only lines after this number',
    example: 0,
  }),
  limit: optional(wholeNumber({ min: 1, max: 10_000 })).openapi({
    description: `Lines at most, ${LOG_LINES} by default`,
    example: 100,
  }),
});

export function addClientRoutes(router: Router, deps: RouteDeps): void {
  const { db } = deps;
  router.add(
    {
      method: 'get',
      path: '/clients',
      tag,
      summary: 'List clients',
      description:
        'A page of clients with all details, their availability and the operation that runs on them.',
      query: ClientQuery,
      scope: 'read',
      changes: false,
      responses: { 200: json('A page of clients', pageSchema('ClientPage', ClientSchema), LinkHeader) },
    },
    async (c, { query }) => {
      const page = pageOf(query);
      const expiresBefore =
        query.expires_before === undefined ? undefined : parseMoment(query.expires_before, 'UTC');
      if (expiresBefore === null)
        throw invalidInput([{ field: 'expires_before', message: 'must be a date' }]);
      const { server_id: serverId, status, q, version } = query;
      const { rows, total } = await listClients(db, { serverId, status, q, version, expiresBefore, ...page });
      const open = await findOpenOperations(
        db,
        rows.map(({ client }) => subjectId('client', client.id)),
      );
      const data = rows.map((row) => clientAnswer(row, open.get(subjectId('client', row.client.id))));
      return c.json(pageAnswer(c, page, total, data));
    },
  );

  router.add(
    {
      method: 'get',
      path: '/clients/billing_types',
      tag,
      summary: 'Billing types',
      description: 'All billing types, in their order.',
      scope: 'read',
      changes: false,
      responses: { 200: json('Billing types', BillingTypesSchema) },
    },
    async (c) => c.json({ data: (await listBillingTypes(db)).map(({ id, title }) => ({ id, title })) }),
  );

  router.add(
    {
      method: 'get',
      path: '/clients/{id}',
      tag,
      summary: 'One client',
      description: 'The client with all details.',
      params: IdParams,
      scope: 'read',
      changes: false,
      responses: { 200: json('The client', ClientSchema) },
    },
    async (c, { params: { id } }) => c.json(await readClient(deps, id)),
  );

  router.add(
    {
      method: 'get',
      path: '/clients/{id}/createlog',
      tag,
      summary: 'Log of the create',
      description:
        "What the client's newest create operation has recorded so far. Poll until `completed` is `ok` or `error`.",
      params: IdParams,
      query: LogQuery,
      scope: 'read',
      changes: false,
      responses: { 200: json('The log', CreateLogSchema) },
    },
    async (c, { params: { id }, query }) => c.json(await readCreateLog(deps, id, query)),
  );

  router.add(
    {
      method: 'get',
      path: '/backups',
      tag,
      summary: 'Backups',
      description: 'Archived and pre-change backups that are still there, newest first.',
      query: PageQuery.extend({
        client_id: optional(rowId()).openapi({ description: 'Only of this client', example: 42 }),
        all: optional(flag()).openapi({
          description: '`true`: also those that were removed',
          example: false,
        }),
      }),
      scope: 'read',
      changes: false,
      responses: { 200: json('A page of backups', pageSchema('BackupPage', BackupSchema), LinkHeader) },
    },
    async (c, { query }) => {
      const page = pageOf(query);
      const { rows, total } = await listBackups(db, {
        clientId: query.client_id,
        all: query.all ?? false,
        ...page,
      });
      const data = rows.map((row) => ({
        id: row.id,
        client_id: row.clientId,
        server_id: row.serverId,
        kind: row.kind,
        operation_id: row.operationId,
        path: row.path,
        size_bytes: row.sizeBytes,
        version_tag: row.versionTag,
        created_at: row.createdAt.toISOString(),
        expires_at: row.expiresAt.toISOString(),
        removed_at: row.removedAt?.toISOString() ?? null,
      }));
      return c.json(pageAnswer(c, page, total, data));
    },
  );
}
