import { createRoute, OpenAPIHono, type RouteConfig, type z } from '@hono/zod-openapi';
import { getPath } from 'hono/utils/url';
import { MEDIA_TYPES, readFields } from './body.js';
import type { Ctx, Environment } from './environment.js';
import { type FieldError, Problem, PROBLEMS, type ProblemCode, ProblemSchema } from './problem.js';

type Method = 'get' | 'post' | 'put' | 'delete';
type ObjectSchema = z.ZodObject | undefined;
type Parsed<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;

export interface Endpoint<
  Params extends ObjectSchema,
  Query extends ObjectSchema,
  Body extends z.ZodType | undefined,
> {
  method: Method;
  /** as in OpenAPI, without trailing slash: `/clients/{id}` */
  path: string;
  tag: string;
  summary: string;
  description: string;
  params?: Params;
  query?: Query;
  /** taken as form-data, urlencoded and JSON alike */
  body?: Body;
  headers?: z.ZodObject;
  /** changes something: guarded against other sites and prefetching, whatever its method */
  changes: boolean;
  /** answers without a login */
  open?: boolean;
  responses: RouteConfig['responses'];
  /** what it may refuse with, beside what every route may */
  problems?: ProblemCode[];
}

export interface Input<Params, Query, Body> {
  params: Parsed<Params>;
  query: Parsed<Query>;
  body: Parsed<Body>;
}

export interface DeclaredRoute {
  method: string;
  path: string;
  pattern: RegExp;
  changes: boolean;
  open: boolean;
}

export interface Router {
  hono: OpenAPIHono<Environment>;
  declared: DeclaredRoute[];
  add<Params extends ObjectSchema, Query extends ObjectSchema, Body extends z.ZodType | undefined>(
    endpoint: Endpoint<Params, Query, Body>,
    handle: (c: Ctx, input: Input<Params, Query, Body>) => Promise<Response> | Response,
  ): void;
  /** routes declared for a path, whatever the method */
  at(path: string): DeclaredRoute[];
}

/** The one place where paths are matched, input is read and validated, and routes enter the OpenAPI document. */
export function createRouter(): Router {
  const hono = new OpenAPIHono<Environment>({ getPath: normalPath });
  const declared: DeclaredRoute[] = [];
  return {
    hono,
    declared,
    at: (path) => declared.filter((route) => route.pattern.test(path)),
    add(endpoint, handle) {
      const { method, path, changes, open = false } = endpoint;
      hono.openAPIRegistry.registerPath(documented(endpoint));
      declared.push({ method: method.toUpperCase(), path, pattern: patternOf(path), changes, open });
      hono.on(method.toUpperCase(), path.replaceAll(/\{(\w+)\}/g, ':$1'), async (c) => {
        c.set('route', path);
        if (changes) c.header('Cache-Control', 'no-store');
        return handle(c, await readInput(c, endpoint));
      });
    },
  };
}

/** Trailing slashes are tolerated and `/server/…` is `/servers/…`, as in the source. */
function normalPath(request: Request): string {
  const path = getPath(request).replace(/(?<!^)\/+$/, '');
  return path.replace(/^\/server(?=\/|$)/, '/servers');
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`);
}

async function readInput<
  Params extends ObjectSchema,
  Query extends ObjectSchema,
  Body extends z.ZodType | undefined,
>(c: Ctx, { params, query, body }: Endpoint<Params, Query, Body>): Promise<Input<Params, Query, Body>> {
  const parsedParams = params?.safeParse(c.req.param());
  // a path that cannot name anything names nothing
  if (parsedParams && !parsedParams.success)
    throw new Problem('not_found', { detail: 'There is no such thing' });
  return {
    params: parsedParams?.data as Parsed<Params>,
    query: (query && parse(query, readQuery(c))) as Parsed<Query>,
    body: (body && parse(body, await readFields(c))) as Parsed<Body>,
  };
}

function readQuery(c: Ctx): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(c.req.queries()).map(([key, values]) => [key, values.length === 1 ? values[0] : values]),
  );
}

/** The value as the schema makes it; else 422 with every field's message. */
export function parse<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw invalidInput(
    result.error.issues.map((issue) => ({ field: issue.path.join('.'), message: messageOf(issue, value) })),
  );
}

export function invalidInput(errors: FieldError[]): Problem {
  const detail = errors.length === 1 ? '1 field is not valid' : `${errors.length} fields are not valid`;
  return new Problem('invalid_input', { detail, errors });
}

/** zod says the same for an absent field as for one of another type; people want to be told apart. */
function messageOf(issue: z.core.$ZodIssue, value: unknown): string {
  const found = issue.path.reduce<unknown>(
    (at, key) =>
      typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined,
    value,
  );
  if (found === undefined || (found === '' && issue.code === 'invalid_type')) return 'is required';
  return Array.isArray(found) && issue.code === 'invalid_type' ? 'is given more than once' : issue.message;
}

function documented<
  Params extends ObjectSchema,
  Query extends ObjectSchema,
  Body extends z.ZodType | undefined,
>(endpoint: Endpoint<Params, Query, Body>): RouteConfig {
  const { method, path, tag, summary, description, params, query, body, headers, open = false } = endpoint;
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
    description,
    operationId: `${method}${path.replaceAll(/[^a-z0-9]+(\w?)/gi, (_, next: string) => next.toUpperCase())}`,
    security: open ? [] : [{ basic: [] }],
    request,
    responses: { ...endpoint.responses, ...problemResponses(endpoint) },
  });
}

function problemResponses<
  Params extends ObjectSchema,
  Query extends ObjectSchema,
  Body extends z.ZodType | undefined,
>({
  open,
  changes,
  params,
  query,
  body,
  problems = [],
}: Endpoint<Params, Query, Body>): RouteConfig['responses'] {
  const codes = new Set<ProblemCode>(['internal', ...problems]);
  const guarded = [
    'unauthorized',
    'address_not_allowed',
    'too_many_requests',
    'database_unavailable',
  ] as const;
  if (!open) for (const code of guarded) codes.add(code);
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

/** A documented JSON answer. */
export function json(description: string, schema: z.ZodType, headers?: z.ZodObject) {
  return {
    description,
    content: { 'application/json': { schema } },
    ...(headers === undefined ? {} : { headers }),
  };
}
