import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { z } from '@hono/zod-openapi';
import { media } from '../../../api/http/answers.js';
import type { Ctx } from '../../../api/http/environment.js';
import { ADMIN, basic, type Harness, openHarness } from '../harness.js';

const PANEL = 'https://panel.example.test';
/** What every answer carries, whatever its route. */
const GENERAL = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'origin-agent-cluster': '?1',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=15552000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-dns-prefetch-control': 'off',
  'x-download-options': 'noopen',
  'x-frame-options': 'SAMEORIGIN',
  'x-permitted-cross-domain-policies': 'none',
  'x-xss-protection': '0',
};
/** And those whose values are the request's. */
const OF_THE_REQUEST = ['x-request-id', 'ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset'];
const OF_BROWSERS = [
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-expose-headers',
];
/** All of them, as a route would set them, and the one that the router itself sets. */
const OWN = Object.fromEntries(
  [...Object.keys(GENERAL), ...OF_THE_REQUEST, ...OF_BROWSERS, 'cache-control'].map((name) => [name, 'own']),
);

/** Each way in which a route can set a header; the last sets none, and makes its answer past the context. */
const ROUTES: Record<string, (c: Ctx) => Response> = {
  '/own/context': (c) => {
    for (const [name, value] of Object.entries(OWN)) c.header(name, value);
    return c.text('');
  },
  '/own/body': (c) => c.text('', 200, OWN),
  '/own/response': () => new Response('', { headers: OWN }),
  '/bare': () => new Response(''),
};
const CALLERS: Record<string, Record<string, string>> = {
  'a tool': {},
  'a page of the panel': { origin: PANEL },
};

describe('general headers', () => {
  let api: Harness;
  before(async () => {
    api = await openHarness({ temporal: 'none', settings: { panelOrigins: [PANEL] } });
    for (const [path, answer] of Object.entries(ROUTES))
      api.router.add(
        {
          method: 'get',
          path,
          tag: 'Documents',
          summary: 'Headers',
          description: 'Headers',
          scope: 'read',
          changes: true,
          responses: { 200: media('Headers', { 'text/html': { schema: z.string() } }) },
        },
        (c) => ({ response: answer(c) }),
      );
  });
  after(() => api.close());

  for (const [caller, headers] of Object.entries(CALLERS)) {
    // not by the contract's check, which would refuse these values
    const ask = (path: string) =>
      api.router.hono.request(path, { headers: { ...headers, authorization: basic(ADMIN) } });
    const found = (response: Response, names: object) =>
      Object.fromEntries(Object.keys(names).map((name) => [name, response.headers.get(name)]));

    for (const path of Object.keys(ROUTES).filter((route) => route.startsWith('/own/')))
      it(`give way to those of the route ${path}, for ${caller}`, async () => {
        const response = await ask(path);
        assert.equal(response.status, 200);
        assert.deepEqual(found(response, OWN), OWN);
      });

    for (const [path, status] of Object.entries({ '/operations': 200, '/bare': 200, '/nowhere': 404 }))
      it(`are on the ${status} of ${path}, for ${caller}`, async () => {
        const response = await ask(path);
        assert.equal(response.status, status);
        assert.deepEqual(found(response, GENERAL), GENERAL);
        for (const name of [...OF_THE_REQUEST, ...('origin' in headers ? OF_BROWSERS : [])])
          assert.ok(response.headers.has(name), name);
        assert.equal(response.headers.get('vary'), 'Origin');
      });
  }
});
