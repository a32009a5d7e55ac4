import type { z } from '@hono/zod-openapi';
import type { Responses } from './answers.js';
import type { Scope } from './auth/scopes.js';
import type { ProblemCode } from './problem.js';
import type { RateBound } from './rate-bounds.js';

type Method = 'get' | 'post' | 'put' | 'delete';
export type ObjectSchema = z.ZodObject | undefined;
export type Parsed<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;

export interface Endpoint<
  Params extends ObjectSchema,
  Query extends ObjectSchema,
  Body extends z.ZodType | undefined,
  Answers extends Responses = Responses,
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
  /** what its caller must hold; without one nobody may call it */
  scope: Scope;
  /** also for a client's own instance, by its token: the path begins with `/clients/{subdomain}` */
  clientTokens?: true;
  /** counted against this bound instead of that of changes */
  bound?: 'checks';
  /** changes something: guarded against other sites and prefetching, whatever its method */
  changes: boolean;
  /** what it answers when it does as asked; its handler can answer nothing else */
  responses: Answers;
  /** what it may refuse with, beside what every route may */
  problems?: readonly ProblemCode[];
}

/** An endpoint by a name of its own, with every type that it says. */
export function endpoint<
  Body extends z.ZodType | undefined = undefined,
  Params extends ObjectSchema = undefined,
  Query extends ObjectSchema = undefined,
  const Answers extends Responses = Responses,
>(described: Endpoint<Params, Query, Body, Answers>): Endpoint<Params, Query, Body, Answers> {
  return described;
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
  scope: Scope;
  clientTokens: boolean;
  bound: RateBound | undefined;
}
