import { z } from '@hono/zod-openapi';
import { findSubdomainHolder } from '../../db/queries/clients.js';
import { compareVersions } from '../../workflows/contract/clients/versions.js';
import { refuseUpdate } from '../http/auth/client-tokens.js';
import { startedAnswer, startOf } from '../operations/caller.js';
import { migrateClient, switchClient } from './versions.js';
import type { RouteDeps } from '../operations/deps.js';
import type { Ctx } from '../http/environment.js';
import { flag, optional, rowId } from '../http/fields.js';
import { Problem } from '../http/problem.js';
import { invalidInput, type Router } from '../http/router.js';
import { IdParams, StartQuery } from '../http/pages.js';
import { rehearsalOf, rehearse } from './rehearsal.js';
import { starting, STARTS } from '../operations/start-schemas.js';

const tag = 'Clients';
/** The source document lists them as GET, and answers POST alike. */
const VERBS = ['get', 'post'] as const;
/** An image with its registry and a tag; longer names nothing. */
const IMAGE_LIMIT = 400;

const SwitchParams = z.object({
  id: rowId().openapi({ param: { name: 'id', in: 'path' }, description: 'Id of the client', example: 42 }),
  image_name: z
    .string()
    .max(IMAGE_LIMIT)
    .openapi({
      param: { name: 'image_name', in: 'path' },
      description: "Tag of the product's image, or URL-encoded `<image>:<tag>` of it",
      example: '1.4-master',
    }),
});

const ChangeQuery = StartQuery.extend({ rehearse: rehearse() });

const SwitchQuery = ChangeQuery.extend({
  force: optional(flag()).openapi({
    description: '`true`: also to a lower version; no migration runs then',
    example: false,
  }),
});

const UpdateParams = z.object({
  subdomain: z
    .string()
    .max(IMAGE_LIMIT)
    .openapi({
      param: { name: 'subdomain', in: 'path' },
      description: 'Subdomain of the client',
      example: 'acme',
    }),
  version: z
    .string()
    .max(IMAGE_LIMIT)
    .openapi({
      param: { name: 'version', in: 'path' },
      description: 'Version among those that the client was told of',
      example: '1.4-master',
    }),
});

export function addClientVersionRoutes(router: Router, deps: RouteDeps): void {
  for (const method of VERBS) {
    router.add(
      {
        ...starting,
        method,
        path: '/clients/{id}/switch/{image_name}',
        tag,
        summary: 'Switch a client to another version',
        description:
          'Rehearsed on a copy while it serves (`rehearse`). Then traffic off, backup, image, migrations, a check from inside, traffic on. A failure before that goes back at once to the old image and the backup, and then holds. A lower version is refused unless `force=true`.',
        params: SwitchParams,
        query: SwitchQuery,
        problems: ['wrong_status', ...STARTS],
      },
      async (c, { params: { id, image_name: image }, query }) => {
        const force = query.force ?? false;
        const request = {
          id,
          image,
          force,
          field: 'image_name',
          ...rehearsalOf(query),
          ...startOf(c, query),
        };
        return startedAnswer(await switchClient(deps, request));
      },
    );

    router.add(
      {
        ...starting,
        method,
        path: '/clients/{id}/migrate',
        tag,
        summary: "Run a client's migrations",
        description: 'With the same care as a switch, without another image.',
        params: IdParams,
        query: ChangeQuery,
        problems: ['wrong_status', ...STARTS],
      },
      async (c, { params: { id }, query }) =>
        startedAnswer(await migrateClient(deps, { id, ...rehearsalOf(query), ...startOf(c, query) })),
    );

    router.add(
      {
        ...starting,
        method,
        path: '/clients/{subdomain}/update_to/{version}',
        tag,
        summary: 'A client updates itself',
        description:
          "Asked by the client's own instance, with `Authorization: Bearer <CLOUD_TOKEN of its .env>`: only for its own subdomain, only to a version in its own `cloud_versions`, not below its own. Whatever else it asks is `update_refused`, of one wording. The panel's login may ask too.",
        params: UpdateParams,
        query: ChangeQuery,
        clientTokens: true,
        problems: ['update_refused', 'wrong_status', 'probe_failed', ...STARTS],
      },
      async (c, { params: { subdomain, version }, query }) => {
        const id = await requireReleased(c, deps, { subdomain, version });
        const request = { id, image: version, force: false, field: 'version' };
        return startedAnswer(
          await switchClient(deps, { ...request, ...rehearsalOf(query), ...startOf(c, query) }),
        );
      },
    );
  }
}

/** Id of the client, when the version is one that it was told of and not below its own. */
async function requireReleased(
  c: Ctx,
  { db, probes }: RouteDeps,
  { subdomain, version }: z.output<typeof UpdateParams>,
): Promise<number> {
  const began = performance.now();
  const client = await findSubdomainHolder(db, subdomain);
  const byItself = c.get('scope') === 'client';
  if (client === undefined) {
    // gone since its token was looked at
    if (byItself) throw await refuseUpdate(began);
    throw new Problem('not_found', { detail: `There is no client ${subdomain}` });
  }
  const { versions } = await probes.ask({ kind: 'versions', clientId: client.id });
  if (versions.includes(version) && compareVersions(version, client.versionTag) >= 0) return client.id;
  if (byItself) throw await refuseUpdate(began);
  throw invalidInput([
    { field: 'version', message: 'is not among the versions that the client was told of' },
  ]);
}
