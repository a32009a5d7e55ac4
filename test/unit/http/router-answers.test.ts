import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { z } from '@hono/zod-openapi';
import { json, media } from '../../../api/http/answers.js';
import { endpoint } from '../../../api/http/endpoint.js';
import { createRouter } from '../../../api/http/router.js';

const common = {
  method: 'get',
  tag: 'Documents',
  summary: 'Thing',
  description: 'Thing',
  scope: 'open',
  changes: false,
} as const;
const Thing = z.object({
  id: z.number(),
  part: z.object({ name: z.string(), note: z.string().optional() }),
});
const THING = endpoint({
  ...common,
  path: '/thing',
  responses: {
    200: json('Thing', Thing),
    202: json('Sent', z.object({ sent: z.literal(true) })),
    204: { description: 'Gone' },
  },
});
const PAGE = endpoint({
  ...common,
  path: '/page',
  responses: { 200: media('Page', { 'text/html': { schema: z.string() } }) },
});
const thing = { id: 1, part: { name: 'a' } };

// every `@ts-expect-error` is an error itself once the line below it compiles
describe("an endpoint's handler", () => {
  it('answers what the endpoint declares, of each status', () => {
    const router = createRouter();
    router.add(THING, () => ({ status: 200, body: thing, headers: { ETag: '"1"' } }));
    router.add(THING, async () => ({ status: 202, body: { sent: true } }));
    router.add(THING, () => ({ status: 204 }));
    router.add(PAGE, (c) => ({ response: c.html('') }));
    assert.equal(router.declared.length, 4);
  });

  it('does not compile with what the endpoint does not declare', () => {
    const router = createRouter();
    // @ts-expect-error a status that is not declared
    router.add(THING, () => ({ status: 201, body: thing }));
    // @ts-expect-error the body of another status
    router.add(THING, () => ({ status: 202, body: thing }));
    // @ts-expect-error a field is missing
    router.add(THING, () => ({ status: 200, body: { id: 1 } }));
    // @ts-expect-error a field of another type
    router.add(THING, () => ({ status: 200, body: { ...thing, id: '1' } }));
    // @ts-expect-error a field that is not declared
    router.add(THING, () => ({ status: 200, body: { ...thing, secret: 'x' } }));
    // @ts-expect-error nor further down, and awaited
    router.add(THING, async () => ({ status: 200, body: { id: 1, part: { name: 'a', secret: 'x' } } }));
    // @ts-expect-error an answer made past the declaration
    router.add(THING, (c) => ({ response: c.json(thing) }));
    // @ts-expect-error and a bare one
    router.add(THING, (c) => c.json(thing));
    assert.equal(router.declared.length, 8);
  });
});
