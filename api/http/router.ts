import { OpenAPIHono, type z } from '@hono/zod-openapi';
import type { ContentfulStatusCode, StatusCode } from 'hono/utils/http-status';
import { getPath } from 'hono/utils/url';
import type { AnswerOf, AnyAnswer, Responses, Undocumented } from './answers.js';
import { covers, type Scope } from './auth/scopes.js';
import { readFields } from './body.js';
import { describeRoute } from './describe-route.js';
import type { DeclaredRoute, Endpoint, Input, ObjectSchema, Parsed } from './endpoint.js';
import type { Ctx, Environment, Middleware } from './environment.js';
import { type FieldError, Problem } from './problem.js';

export interface Router {
  hono: OpenAPIHono<Environment>;
  declared: DeclaredRoute[];
  /** What `handle` answers is one of the endpoint's `responses`; a field that none of them has does not compile. */
  add<
    Params extends ObjectSchema,
    Query extends ObjectSchema,
    Body extends z.ZodType | undefined,
    const Answers extends Responses,
    const Answer extends AnswerOf<Answers>,
  >(
    endpoint: Endpoint<Params, Query, Body, Answers> & Undocumented<Answer, AnswerOf<Answers>>,
    handle: (c: Ctx, input: Input<Params, Query, Body>) => Promise<Answer> | Answer,
  ): void;
  /** routes declared for a path, whatever the method: `/clients/billing_types` is not a `/clients/{id}` */
  at(path: string): DeclaredRoute[];
}

/** The one place where paths are matched, input is read and validated, and routes enter the OpenAPI document. */
export function createRouter(): Router {
  const hono = new OpenAPIHono<Environment>({ getPath: normalPath });
  const declared: DeclaredRoute[] = [];
  const at = (path: string) => {
    const literal = declared.filter((route) => route.path === path);
    return literal.length > 0 ? literal : declared.filter((route) => route.pattern.test(path));
  };
  return {
    hono,
    declared,
    at,
    add(endpoint, handle) {
      const { method, path, changes, scope, clientTokens = false, bound } = endpoint;
      hono.openAPIRegistry.registerPath(describeRoute(endpoint));
      const verb = method.toUpperCase();
      declared.push({ method: verb, path, pattern: patternOf(path), changes, scope, clientTokens, bound });
      hono.on(verb, path.replaceAll(/\{(\w+)\}/g, ':$1'), async (c) => {
        c.set('route', path);
        const routes = c.get('routes');
        if (!routes.some((route) => route.path === path)) throw methodNotAllowed(routes);
        const held = c.get('scope');
        if (!covers(held, scope) && !(clientTokens && held === 'client')) throw forbidden(c, scope);
        if (changes) c.header('Cache-Control', 'no-store');
        return withAllHeaders(c, responseOf(c, await handle(c, await readInput(c, endpoint))));
      });
    },
  };
}

function responseOf(c: Ctx, answer: AnyAnswer): Response {
  if ('response' in answer) return answer.response;
  const { status, headers } = answer;
  if (!('body' in answer)) return c.body(null, status as StatusCode, headers);
  return c.json(answer.body, status as ContentfulStatusCode, headers);
}

/** Hono puts what a layer set before over the answer's own; and a `Response` made past the context has its own alone. */
function withAllHeaders(c: Ctx, answer: Response): Response {
  for (const [name, value] of answer.headers) c.header(name, value);
  if (answer.headers.has('X-Request-Id')) return answer;
  return c.newResponse(answer.body, { status: answer.status as StatusCode });
}

/** Sets `routes`, which every layer asks. */
export function matchRoutes(router: Router): Middleware {
  return async (c, next) => {
    c.set('routes', router.at(c.req.path));
    await next();
  };
}

/** 405, for a path that takes other methods. */
export function methodNotAllowed(routes: DeclaredRoute[]): Problem {
  const methods = new Set(routes.map((route) => route.method));
  if (routes.some((route) => route.method === 'GET' && !route.changes)) methods.add('HEAD');
  return new Problem('method_not_allowed', { headers: { Allow: [...methods].sort().join(', ') } });
}

function forbidden(c: Ctx, needed: Scope): Problem {
  const detail =
    needed === 'login'
      ? "Only with the administrator's own login"
      : `Needs the scope "${needed}"; this key has "${c.get('scope')}"`;
  return new Problem('forbidden', { detail });
}

/** Trailing slashes are tolerated and `/server/…` is `/servers/…`, as in the source document. */
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
