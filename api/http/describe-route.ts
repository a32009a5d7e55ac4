import { createRoute, type RouteConfig, type z } from '@hono/zod-openapi';
import type { Scope } from './auth/scopes.js';
import { MEDIA_TYPES } from './body.js';
import { PROBLEMS, type ProblemCode, ProblemSchema } from './problem.js';
import type { Endpoint, ObjectSchema } from './endpoint.js';

/** What the OpenAPI document says of a route: its fields, what it needs, and every problem that it may refuse with. */
export function describeRoute<
  Params extends ObjectSchema,
  Query extends ObjectSchema,
  Body extends z.ZodType | undefined,
>(endpoint: Endpoint<Params, Query, Body>): RouteConfig {
  const { method, path, tag, summary, description, params, query, body, headers, scope } = endpoint;
  const request = {
    ...(params === undefined ? {} : { params }),
    ...(query === undefined ? {} : { query }),
    ...(headers === undefined ? {} : { headers }),
    ...(body === undefined
      ? {}
      : {
          body: {
            required: true,
            content: Object.fromEntries(MEDIA_TYPES.map((type) => [type, { schema: body }])),
          },
        }),
  };
  return createRoute({
    method,
    path,
    tags: [tag],
    summary,
    description:
      scope === 'open' || scope === 'client' ? description : `${description}\n\n${SCOPE_NOTES[scope]}`,
    operationId: `${method}${path.replaceAll(/[^a-z0-9]+(\w?)/gi, (_, next: string) => next.toUpperCase())}`,
    security: securityOf(scope),
    request,
    responses: {
      ...endpoint.responses,
      ...problemResponses(endpoint),
      ...(query || headers ? TOO_LONG : {}),
    },
  });
}

/** By Node itself, whose bound it is. */
const TOO_LONG = { 431: { description: 'Address and headers together exceed 16 KB' } };

const SCOPE_NOTES: Record<Exclude<Scope, 'open' | 'client'>, string> = {
  read: 'Scope of a key: `read`.',
  operate: 'Scope of a key: `operate`.',
  admin: 'Scope of a key: `admin`.',
  login: "Only with the administrator's own login, not with a key.",
};

/** OpenAPI 3.1 takes the needed role beside schemes that know no scopes. */
function securityOf(scope: Scope): Record<string, string[]>[] {
  if (scope === 'open') return [];
  if (scope === 'login') return [{ basic: [] }];
  return [{ basic: [] }, { apiKey: [scope] }, { bearer: [scope] }];
}

function problemResponses<
  Params extends ObjectSchema,
  Query extends ObjectSchema,
  Body extends z.ZodType | undefined,
>({
  scope,
  changes,
  params,
  query,
  body,
  problems = [],
}: Endpoint<Params, Query, Body>): RouteConfig['responses'] {
  const codes = new Set<ProblemCode>(['internal', ...problems]);
  const guarded = [
    'unauthorized',
    'forbidden',
    'address_not_allowed',
    'too_many_requests',
    'database_unavailable',
  ] as const;
  if (scope !== 'open') for (const code of guarded) codes.add(code);
  if (params) codes.add('not_found');
  if (query || body) codes.add('invalid_input');
  if (body)
    for (const code of ['invalid_body', 'unsupported_media_type', 'body_too_large'] as const) codes.add(code);
  if (changes) for (const code of ['cross_site', 'prefetch'] as const) codes.add(code);
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of codes)
    byStatus.set(PROBLEMS[code][0], [...(byStatus.get(PROBLEMS[code][0]) ?? []), code]);
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      status,
      {
        description: list.map((code) => `\`${code}\`: ${PROBLEMS[code][1]}`).join('; '),
        content: { 'application/problem+json': { schema: ProblemSchema } },
      },
    ]),
  );
}
