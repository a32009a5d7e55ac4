import { z } from '@hono/zod-openapi';
import { countPlaces } from '../../db/queries/client-places.js';
import { recordAudit } from '../../db/queries/audit.js';
import {
  countClients,
  deleteServer,
  listClientsOfServer,
  listServers,
  lockServer,
  recordReading,
  type ServerRow,
} from '../../db/queries/servers.js';
import type { ServerLoad } from '../../workflows/contract/servers/probes.js';
import { auditOf } from '../operations/caller.js';
import type { RouteDeps } from '../operations/deps.js';
import { flag, host, optional } from '../http/fields.js';
import { Problem } from '../http/problem.js';
import { json, type Router } from '../http/router.js';
import { IdParams, LinkHeader, pageAnswer, pageOf, PageQuery, pageSchema } from '../http/pages.js';
import {
  CheckHostInput,
  CheckHostSchema,
  ImagesSchema,
  ServerDetailsSchema,
  ServerInput,
  ServerSchema,
} from './schemas.js';
import { loadAnswer, serverAnswer } from './answer.js';
import { checkHost } from './check.js';
import { noServer, requireServer } from './read.js';
import { changeServer, createServer } from './save.js';

const tag = 'Servers';

const HostParams = z.object({
  host_ip: host().openapi({
    type: 'string',
    param: { name: 'host_ip', in: 'path' },
    description: 'Host name or address',
    example: '10.0.0.13',
  }),
});

export function addServerRoutes(router: Router, deps: RouteDeps): void {
  const { db, probes } = deps;

  router.add(
    {
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
    },
    async (c, { query }) => {
      const page = pageOf(query);
      const { rows, total } = await listServers(db, { all: query.all ?? false, ...page });
      const clients = await countClients(
        db,
        rows.map((row) => row.id),
      );
      return c.json(
        pageAnswer(
          c,
          page,
          total,
          rows.map((row) => serverAnswer(row, clients.get(row.id) ?? 0)),
        ),
      );
    },
  );

  router.add(
    {
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
    },
    async (c, { body: { id, ...fields } }) => {
      if (id !== undefined) {
        const row = await changeServer(c, deps, id, fields);
        return c.json(serverAnswer(row, (await countClients(db, [id])).get(id) ?? 0), 200);
      }
      const row = await createServer(c, deps, fields);
      return c.json(serverAnswer(row, 0), 201, { Location: `/servers/${row.id}` });
    },
  );

  const checkDescription =
    'One line per requirement on a server, with what to do where it is not met. Awaited for 5 s.';
  const checkProblems = ['probe_failed', 'worker_unavailable', 'temporal_unavailable'] as const;
  router.add(
    {
      method: 'get',
      path: '/servers/check_host/{host_ip}',
      tag,
      summary: 'Check a host',
      description: `${checkDescription} For a known host the stored fields are used.`,
      params: HostParams,
      bound: 'checks',
      scope: 'admin',
      changes: false,
      responses: { 200: json('The report', CheckHostSchema) },
      problems: [...checkProblems],
    },
    async (c, { params }) => {
      return c.json(await checkHost(deps, params.host_ip, {}));
    },
  );
  router.add(
    {
      method: 'post',
      path: '/servers/check_host/{host_ip}',
      tag,
      summary: 'Check a host with given logins',
      description: `${checkDescription} For a known host the stored fields are used instead.`,
      params: HostParams,
      bound: 'checks',
      body: CheckHostInput,
      scope: 'admin',
      changes: true,
      responses: { 200: json('The report', CheckHostSchema) },
      problems: [...checkProblems],
    },
    async (c, { params, body }) => {
      return c.json(await checkHost(deps, params.host_ip, body));
    },
  );

  router.add(
    {
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
    },
    async (c, { params: { id } }) => {
      const row = await requireServer(deps, id);
      const [clients, reading] = await Promise.all([countClients(db, [id]), readLoad(deps, row)]);
      return c.json({ ...serverAnswer(row, clients.get(id) ?? 0), ...reading });
    },
  );

  router.add(
    {
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
    },
    async (c, { params: { id } }) => {
      await requireServer(deps, id);
      const [list, clients] = await Promise.all([
        probes.ask({ kind: 'images', serverId: id }),
        listClientsOfServer(db, id),
      ]);
      const data = list.images.map((image) => ({
        tag: image.tag,
        id: image.id,
        size_bytes: image.sizeBytes,
        created_at: image.createdAt,
        branch: image.branch,
        commit: image.commit,
        clients: clients.filter((client) => client.versionTag === image.tag).map((client) => client.id),
      }));
      return c.json({ read_at: list.readAt, data });
    },
  );

  router.add(
    {
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
    },
    async (c, { params: { id } }) => {
      await db.transaction(async (tx) => {
        if ((await lockServer(tx, id)) === undefined) throw noServer(id);
        const clients = (await countClients(tx, [id])).get(id) ?? 0;
        if (clients > 0) throw new Problem('in_use', { detail: `${clients} client(s) live on server ${id}` });
        const places = (await countPlaces(tx, [id])).get(id) ?? 0;
        if (places > 0)
          throw new Problem('in_use', {
            detail: `${places} kept source(s) or target(s) of moves are on server ${id}`,
          });
        await deleteServer(tx, id);
        await deps.secrets.eraseAllOf(tx, `servers/${id}`);
        await recordAudit(tx, auditOf(c, { subject: `server:${id}`, outcome: 'deleted' }));
      });
      return c.body(null, 204);
    },
  );
}

async function readLoad({ db, probes }: RouteDeps, row: ServerRow) {
  try {
    const load = await probes.ask({ kind: 'load', serverId: row.id });
    await recordReading(db, row.id, { ...load });
    return { reachable: true, reason: null, load: loadAnswer(load) };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const last = row.reading as ServerLoad | null | undefined;
    return { reachable: false, reason: error.message, load: last ? loadAnswer(last) : null };
  }
}
