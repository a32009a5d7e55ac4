import { z } from '@hono/zod-openapi';
import { listBillingTypes } from '../../db/queries/clients.js';
import type { RouteDeps } from '../operations/deps.js';
import { json } from '../http/answers.js';
import { endpoint } from '../http/endpoint.js';
import { flag, line, oneOf, optional, pattern, rowId, VERSION_TAG, wholeNumber } from '../http/fields.js';
import { IdParams, LinkHeader, pageAnswer, pageOf, PageQuery, pageSchema } from '../http/pages.js';
import type { Router } from '../http/router.js';
import { listBackupPage, listClientPage } from './list.js';
import { LOG_LINES, readClient, readCreateLog } from './read.js';
import {
  BackupSchema,
  BillingTypesSchema,
  CLIENT_STATUSES,
  ClientSchema,
  CreateLogSchema,
} from './schemas.js';

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

const LIST = endpoint({
  method: 'get',
  path: '/clients',
  tag,
  summary: 'List clients',
  description: 'A page of clients with all details, their availability and the operation that runs on them.',
  query: ClientQuery,
  scope: 'read',
  changes: false,
  responses: { 200: json('A page of clients', pageSchema('ClientPage', ClientSchema), LinkHeader) },
});

const BILLING_TYPES = endpoint({
  method: 'get',
  path: '/clients/billing_types',
  tag,
  summary: 'Billing types',
  description: 'All billing types, in their order.',
  scope: 'read',
  changes: false,
  responses: { 200: json('Billing types', BillingTypesSchema) },
});

const READ = endpoint({
  method: 'get',
  path: '/clients/{id}',
  tag,
  summary: 'One client',
  description: 'The client with all details.',
  params: IdParams,
  scope: 'read',
  changes: false,
  responses: { 200: json('The client', ClientSchema) },
});

const CREATE_LOG = endpoint({
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
});

const BACKUPS = endpoint({
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
});

export function addClientRoutes(router: Router, deps: RouteDeps): void {
  router.add(LIST, async (c, { query }) => {
    const { page: _, per_page: __, ...filter } = query;
    const page = pageOf(query);
    return pageAnswer(c, page, await listClientPage(deps, { ...filter, ...page }));
  });
  router.add(BILLING_TYPES, async () => {
    const types = await listBillingTypes(deps.db);
    return { status: 200, body: { data: types.map(({ id, title }) => ({ id, title })) } };
  });
  router.add(READ, async (_c, { params }) => ({ status: 200, body: await readClient(deps, params.id) }));
  router.add(CREATE_LOG, async (_c, { params, query }) => ({
    status: 200,
    body: await readCreateLog(deps, params.id, query),
  }));
  router.add(BACKUPS, async (c, { query: { client_id: clientId, all = false, ...query } }) => {
    const page = pageOf(query);
    return pageAnswer(c, page, await listBackupPage(deps, { clientId, all, ...page }));
  });
}
