import { z } from '@hono/zod-openapi';
import type { Ctx } from './environment.js';
import { flag, oneOf, optional, rowId, wholeNumber } from './fields.js';

/** `docs/contract/clients.md`, Reading: pages of at most 100. */
const PER_PAGE = { default: 50, max: 100 };

export const PageQuery = z.object({
  page: optional(wholeNumber({ min: 1, max: 1_000_000 })).openapi({
    description: 'Page, from 1',
    example: 1,
  }),
  per_page: optional(wholeNumber({ min: 1, max: PER_PAGE.max })).openapi({
    description: `Entries per page, ${PER_PAGE.default} by default, at most ${PER_PAGE.max}`,
    example: 50,
  }),
});

export interface Page {
  page: number;
  perPage: number;
  limit: number;
  offset: number;
}

export function pageOf(query: { page?: number | undefined; per_page?: number | undefined }): Page {
  const page = query.page ?? 1;
  const perPage = query.per_page ?? PER_PAGE.default;
  return { page, perPage, limit: perPage, offset: (page - 1) * perPage };
}

export function pageSchema<Entry extends z.ZodType>(name: string, entry: Entry) {
  return z
    .object({
      data: z.array(entry).openapi({ description: 'Entries of this page' }),
      page: z.number().int().openapi({ description: 'This page, from 1', example: 1 }),
      per_page: z.number().int().openapi({ description: 'Entries per page', example: 50 }),
      total: z.number().int().openapi({ description: 'Entries on all pages', example: 3 }),
    })
    .openapi(name);
}

export const LinkHeader = z.object({
  Link: z.string().optional().openapi({
    description: 'RFC 8288 links to first, prev, next and last page',
    example: '</clients?page=2>; rel="next"',
  }),
});

/** The page as an answer, with its `Link` header. */
export function pageAnswer<Entry>(c: Ctx, { page, perPage }: Page, { total, data }: Listed<Entry>) {
  const last = Math.max(1, Math.ceil(total / perPage));
  const targets = {
    first: 1,
    ...(page > 1 ? { prev: Math.min(page - 1, last) } : {}),
    ...(page < last ? { next: page + 1 } : {}),
    last,
  };
  const links = Object.entries(targets).map(([rel, target]) => linkTo(c, rel, { page: String(target) }));
  const body = { data, page, per_page: perPage, total };
  return { status: 200 as const, body, headers: { Link: links.join(', ') } };
}

/** What a list finds: entries of one page, and how many there are on all. */
export interface Listed<Entry> {
  total: number;
  data: Entry[];
}

/** Of a list that goes on behind a cursor, with a `Link` to what comes next. */
export function cursorAnswer<Entry, Cursor extends string | number>(
  c: Ctx,
  body: { data: Entry[]; cursor: Cursor | null },
) {
  const headers: Record<string, string> =
    body.cursor === null ? {} : { Link: linkTo(c, 'next', { cursor: String(body.cursor) }) };
  return { status: 200 as const, body, headers };
}

/** RFC 8288: this request's own address with other query values. */
function linkTo(c: Ctx, rel: string, values: Record<string, string>): string {
  const query = new URLSearchParams(new URL(c.req.url).search);
  for (const [name, value] of Object.entries(values)) query.set(name, value);
  return `<${c.req.path}?${query.toString()}>; rel="${rel}"`;
}

export const IdParams = z.object({
  id: rowId().openapi({ param: { name: 'id', in: 'path' }, description: 'Id', example: 42 }),
});

/** How an operation behaves when a step fails; on every route that starts one. */
export const StartQuery = z.object({
  on_failure: optional(oneOf(['hold', 'rollback'])).openapi({
    description: '`rollback`: a failed step is not held for a person',
    example: 'hold',
  }),
  hold_window: optional(wholeNumber({ min: 0, max: 7 * 24 * 60 })).openapi({
    description: 'Minutes that a failed step waits for a person before all is rolled back; 0 = never hold',
    example: 30,
  }),
  // read by `callerOf`; the same request with and without it is equal
  plan: optional(flag())
    .transform(() => undefined)
    .openapi({
      type: 'boolean',
      description: '`true`: answers the steps that would be done, after all checks, and changes nothing',
      example: false,
    }),
});

export const StartHeaders = z.object({
  'Idempotency-Key': z.string().max(255).optional().openapi({
    description: 'The same key on the same route returns the same operation, for at least 24 hours',
    example: 'c0ffee-1',
  }),
  Prefer: z.string().max(255).optional().openapi({ description: '`plan`: as `plan=true`', example: 'plan' }),
});

/** A named schema or null: said as alternatives, which is how JSON Schema can refer to the name. */
export function orNull<Schema extends z.ZodType>(schema: Schema) {
  return z.union([schema, z.null()]);
}
