import { z } from '@hono/zod-openapi';
import { callerOf } from '../operations/caller.js';
import type { RouteDeps } from '../operations/deps.js';
import { json } from '../http/answers.js';
import { endpoint } from '../http/endpoint.js';
import { flag, host, optional } from '../http/fields.js';
import { IdParams, LinkHeader, pageAnswer, pageOf, PageQuery, pageSchema } from '../http/pages.js';
import type { Router } from '../http/router.js';
import {
  CheckHostInput,
  CheckHostSchema,
  ImagesSchema,
  ServerDetailsSchema,
  ServerInput,
  ServerSchema,
} from './schemas.js';
import { checkHost } from './check.js';
import { readImages } from './images.js';
import { listServerPage, readServer } from './read.js';
import { removeServer } from './remove.js';
import { saveServer } from './save.js';

const tag = 'Servers';

const CHECKS = {
  tag,
  path: '/servers/check_host/{host_ip}',
  bound: 'checks',
  scope: 'admin',
  responses: { 200: json('The report', CheckHostSchema) },
  problems: ['probe_failed', 'worker_unavailable', 'temporal_unavailable'],
} as const;
const CHECK_DESCRIPTION =
  'One line per requirement on a server, with what to do where it is not met. Awaited for 5 s.';

const HostParams = z.object({
  host_ip: host().openapi({
    type: 'string',
    param: { name: 'host_ip', in: 'path' },
    description: 'Host name or address',
    example: '10.0.0.13',
  }),
});

const LIST = endpoint({
  method: 'get',
  path: '/servers',
  tag,
  summary: 'List servers',
  description: 'Active servers, where new clients can be placed; with `all=true` every server.',
  query: PageQuery.extend({
    all: optional(flag()).openapi({ description: 'Inactive ones too', example: false }),
  }),
  scope: 'read',
  changes: false,
  responses: { 200: json('A page of servers', pageSchema('ServerPage', ServerSchema), LinkHeader) },
});

const SAVE = endpoint({
  method: 'post',
  path: '/servers',
  tag,
  summary: 'Create or update a server',
  description:
    'Updates when `id` is given; what is absent or empty stays as it is. Creating without `ssh_host_key` pins the key that the host shows, unconfirmed.',
  body: ServerInput,
  scope: 'admin',
  changes: true,
  responses: { 200: json('The changed server', ServerSchema), 201: json('The new server', ServerSchema) },
  problems: [
    'not_found',
    'host_taken',
    'in_use',
    'probe_failed',
    'worker_unavailable',
    'temporal_unavailable',
  ],
});

const CHECK = endpoint({
  ...CHECKS,
  method: 'get',
  summary: 'Check a host',
  description: `${CHECK_DESCRIPTION} For a known host the stored fields are used.`,
  params: HostParams,
  changes: false,
});

const CHECK_GIVEN = endpoint({
  ...CHECKS,
  method: 'post',
  summary: 'Check a host with given logins',
  description: `${CHECK_DESCRIPTION} For a known host the stored fields are used instead.`,
  params: HostParams,
  body: CheckHostInput,
  changes: true,
});

const READ = endpoint({
  method: 'get',
  path: '/servers/{id}',
  tag,
  summary: 'One server with its load',
  description:
    'Stored fields and a live reading. A server that does not answer gives its last reading and `reachable: false`.',
  params: IdParams,
  scope: 'read',
  changes: false,
  responses: { 200: json('The server', ServerDetailsSchema) },
});

const IMAGES = endpoint({
  method: 'get',
  path: '/servers/{id}/images',
  tag,
  summary: 'Versions on a server',
  description: 'Versions of the product image there, read live.',
  params: IdParams,
  scope: 'read',
  changes: false,
  responses: { 200: json('The versions', ImagesSchema) },
  problems: ['probe_failed', 'worker_unavailable', 'temporal_unavailable'],
});

const REMOVE = endpoint({
  method: 'delete',
  path: '/servers/{id}',
  tag,
  summary: 'Remove the record of a server',
  description:
    'Nothing on the host is touched. Refused while clients live there (failed ones too: delete them first).',
  params: IdParams,
  scope: 'admin',
  changes: true,
  responses: { 204: { description: 'Removed' } },
  problems: ['in_use'],
});

export function addServerRoutes(router: Router, deps: RouteDeps): void {
  router.add(LIST, async (c, { query }) => {
    const page = pageOf(query);
    return pageAnswer(c, page, await listServerPage(deps, { all: query.all ?? false, ...page }));
  });
  router.add(SAVE, async (c, { body }) => {
    const { created, server } = await saveServer(deps, callerOf(c), body);
    return created
      ? { status: 201, body: server, headers: { Location: `/servers/${server.id}` } }
      : { status: 200, body: server };
  });
  router.add(CHECK, async (_c, { params }) => ({
    status: 200,
    body: await checkHost(deps, params.host_ip, {}),
  }));
  router.add(CHECK_GIVEN, async (_c, { params, body }) => ({
    status: 200,
    body: await checkHost(deps, params.host_ip, body),
  }));
  router.add(READ, async (_c, { params }) => ({ status: 200, body: await readServer(deps, params.id) }));
  router.add(IMAGES, async (_c, { params }) => ({ status: 200, body: await readImages(deps, params.id) }));
  router.add(REMOVE, async (c, { params }) => {
    await removeServer(deps, callerOf(c), params.id);
    return { status: 204 };
  });
}
