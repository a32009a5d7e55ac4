import type { z } from '@hono/zod-openapi';
import { startedAnswer, type StartedBy, startOf } from '../operations/caller.js';
import type { RouteDeps } from '../operations/deps.js';
import type { Planned } from '../operations/plan.js';
import type { Started } from '../operations/start.js';
import type { Router } from '../http/router.js';
import type { ObjectSchema } from '../http/endpoint.js';
import {
  FanOutFields,
  FanOutInput,
  imageNameOf,
  MigrateAllFields,
  MigrateAllInput,
  rulesFrom,
  SwitchAllFields,
  SwitchAllInput,
  SwitchAllParams,
} from './fan-out-schemas.js';
import { IdParams, StartQuery } from '../http/pages.js';
import { starting, STARTS } from '../operations/start-schemas.js';
import { rehearsalOf } from '../clients/rehearsal.js';
import { startOnServer, startReconfigurate } from './fan-outs.js';

const SHARED =
  'One operation for each client, some at a time (`window`), the first ones alone (`canary`). Too many failures, or one of the first, stop it: then it holds, `retry` goes on with those that failed, `rollback` starts no more. What was done stays. Its parts: `GET /operations?parent=<id>`.';

const REHEARSED = 'The first ones are always rehearsed, the others as `rehearse` or the server says.';

export function addFanOutRoutes(router: Router, deps: RouteDeps): void {
  addBoth(router, {
    path: '/servers/{id}/switch_all/{image_name}',
    tag: 'Servers',
    summary: 'Switch all clients of a server to another version',
    description: `Every client that has another version is switched, each as by its own \`switch\`. ${REHEARSED} ${SHARED}`,
    params: SwitchAllParams,
    query: StartQuery.extend(SwitchAllFields.shape),
    body: SwitchAllInput,
    start: ({ params, query, body, ...request }) => {
      const name = imageNameOf(params.image_name);
      const force = body?.force ?? query.force ?? false;
      return startOnServer(deps, 'switch_all', {
        ...request,
        params: {
          ...{ serverId: params.id, ...name, force, rules: rulesFrom(body, query) },
          ...rehearsalOf({ rehearse: body?.rehearse ?? query.rehearse }),
        },
      });
    },
  });
  addBoth(router, {
    path: '/servers/{id}/migrate_all',
    tag: 'Servers',
    summary: 'Migrate the databases of all clients of a server',
    description: `Each as by its own \`migrate\`. ${REHEARSED} ${SHARED}`,
    params: IdParams,
    query: StartQuery.extend(MigrateAllFields.shape),
    body: MigrateAllInput,
    start: ({ params: { id }, query, body, ...request }) =>
      startOnServer(deps, 'migrate_all', {
        ...request,
        params: {
          ...{ serverId: id, rules: rulesFrom(body, query) },
          ...rehearsalOf({ rehearse: body?.rehearse ?? query.rehearse }),
        },
      }),
  });
  for (const { path, kind, summary, description } of ON_SERVERS) {
    addBoth(router, {
      path,
      tag: 'Servers',
      summary,
      description: `${description} ${SHARED}`,
      params: IdParams,
      query: StartQuery.extend(FanOutFields.shape),
      body: FanOutInput,
      start: ({ params: { id }, query, body, ...request }) =>
        startOnServer(deps, kind, {
          ...request,
          params: { serverId: id, rules: rulesFrom(body, query) },
        }),
    });
  }
  addBoth(router, {
    path: '/clients/reconfigurate',
    tag: 'Clients',
    summary: 'Pull everywhere and refresh all configurations',
    description: `\`git pull\` on every server, then every client's \`.env\` anew from the current \`.env.example\`: new keys with their defaults, known ones kept, vanished ones kept but marked. Only what changed is restarted. Each server is an operation with its clients as parts; \`canary\` and \`stop_after_failures\` hold for the servers and for the clients of each. ${SHARED}`,
    params: undefined,
    query: StartQuery.extend(FanOutFields.shape),
    body: FanOutInput,
    start: ({ query, body, ...request }) =>
      startReconfigurate(deps, { ...request, params: { rules: rulesFrom(body, query) } }),
  });
}

const ON_SERVERS = [
  {
    path: '/servers/{id}/deploy',
    kind: 'deploy_server',
    summary: 'Make all configurations of a server anew',
    description:
      '`.env`, Compose file, PHP settings and vhost of every client; containers are restarted where something changed. `migrate_all` is due afterwards.',
  },
] as const;

type OutputOf<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;

interface FanOutRoute<Params extends ObjectSchema, Query extends typeof StartQuery, Body extends z.ZodType> {
  path: string;
  tag: string;
  summary: string;
  description: string;
  params: Params;
  query: Query;
  body: Body;
  start(
    input: {
      params: OutputOf<Params>;
      query: z.output<Query>;
      body: z.output<Body> | undefined;
    } & StartedBy,
  ): Promise<Started | Planned>;
}

/** The source document lists them as GET; POST takes the same as form fields too. */
function addBoth<Params extends ObjectSchema, Query extends typeof StartQuery, Body extends z.ZodType>(
  router: Router,
  { start, params, query, body, ...described }: FanOutRoute<Params, Query, Body>,
): void {
  const common = {
    ...starting,
    ...described,
    ...(params === undefined ? {} : { params }),
    query,
    problems: [...STARTS],
  };
  router.add({ ...common, method: 'get' }, async (c, input) => {
    const given = { params: input.params as OutputOf<Params>, query: input.query as z.output<Query> };
    return startedAnswer(
      await start({ ...given, body: undefined, ...startOf(c, given.query, { query: given.query }) }),
    );
  });
  router.add({ ...common, body, method: 'post' }, async (c, input) => {
    const given = { params: input.params as OutputOf<Params>, query: input.query as z.output<Query> };
    return startedAnswer(
      await start({
        ...given,
        body: input.body,
        ...startOf(c, given.query, { body: input.body, query: given.query }),
      }),
    );
  });
}
