import { BUILD_BRANCHES } from '../../workflows/contract/clients/versions.js';
import { startedAnswer, startOf } from '../operations/caller.js';
import type { RouteDeps } from '../operations/deps.js';
import { endpoint } from '../http/endpoint.js';
import { parse, type Router } from '../http/router.js';
import { IdParams, StartQuery } from '../http/pages.js';
import { BuildForAllInput, BuildParams, BuildQuery, buildVersion, ServerParams } from './change-schemas.js';
import { starting, STARTS } from '../operations/start-schemas.js';
import { buildImage, buildMasterForAll, workOnServer } from './changes.js';

const tag = 'Servers';
/** The source document lists them as GET; POST is what they are. */
const METHODS = ['get', 'post'] as const;

const BUILD_FOR_ALL = endpoint({
  ...starting,
  tag,
  method: 'post',
  path: '/containers/build_master_for_all',
  summary: 'Build a version of the branch master on every active server',
  description:
    'One build on each server; then the clients there are told of the version. A server that fails waits for a person and keeps no other one back; one that has the version keeps it, unless `force=true`.',
  query: StartQuery,
  body: BuildForAllInput,
  problems: [...STARTS],
});

export function addServerChangeRoutes(router: Router, deps: RouteDeps): void {
  for (const method of METHODS) {
    addBuildRoutes(router, deps, method);
    addWorkRoutes(router, deps, method);
  }
  router.add(BUILD_FOR_ALL, async (c, { query, body: { version, info = '', force = false } }) => {
    const params = { version, info, force };
    return startedAnswer(
      await buildMasterForAll(deps, { ...params, ...startOf(c, query, { ...params, query }) }),
    );
  });
}

function addBuildRoutes(router: Router, deps: RouteDeps, method: (typeof METHODS)[number]): void {
  for (const branch of BUILD_BRANCHES) {
    router.add(
      {
        ...starting,
        tag,
        method,
        path: `/containers/{server_id}/build_${branch}/{new_version}`,
        summary: `Build a version of the branch ${branch} on a server`,
        description:
          "Fetches the code, runs the build commands and builds the image; the output is the operation's. A version that is there is refused, unless `force=true`.",
        params: BuildParams,
        query: BuildQuery,
        problems: ['version_exists', ...STARTS],
      },
      async (c, { params, query }) => {
        const { new_version: version } = parse(buildVersion(branch), params);
        const result = await buildImage(deps, {
          serverId: params.server_id,
          branch,
          version,
          existing: query.force === true ? 'replace' : 'refuse',
          ...startOf(c, query, { query }),
        });
        return startedAnswer(result);
      },
    );
  }
}

function addWorkRoutes(router: Router, deps: RouteDeps, method: (typeof METHODS)[number]): void {
  router.add(
    {
      ...starting,
      tag,
      method,
      path: '/containers/{server_id}/prune',
      summary: 'Remove unused versions from a server',
      description:
        "Removes versions of the product's image that no client and no container needs, but the newest two of each branch; and layers without a name, and the build cache. Volumes are never touched. The operation's result says what was removed.",
      params: ServerParams,
      query: StartQuery,
      problems: [...STARTS],
    },
    async (c, { params: { server_id: serverId }, query }) => {
      const request = { serverId, ...startOf(c, query, { query }) };
      return startedAnswer(await workOnServer(deps, 'prune_server', request));
    },
  );
  router.add(
    {
      ...starting,
      tag,
      method,
      path: '/servers/{id}/reboot_server',
      summary: 'Reboot a server',
      description:
        'Waits until nobody works there, reboots, waits until it is back, starts what should run and checks every client. The result says of each whether it answers.',
      params: IdParams,
      query: StartQuery,
      problems: ['cannot_reboot', ...STARTS],
    },
    async (c, { params: { id: serverId }, query }) => {
      const request = { serverId, ...startOf(c, query, { query }) };
      return startedAnswer(await workOnServer(deps, 'reboot_server', request));
    },
  );
}
