import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { KEY_SCOPES } from '../../../api/http/auth/scopes.js';
import type { Scope } from '../../../api/http/auth/scopes.js';
import { type CallOptions, type Harness, openHarness } from '../harness.js';

/** Of every operation of the document, so that a new route is tested by being declared. */
interface Route {
  method: string;
  path: string;
  /** with the document's own examples as parameters */
  url: string;
  /** what the document says: no security at all, a scope of keys, or the login alone */
  scope: Scope;
  changes: boolean;
}

interface Documented {
  security: Record<string, string[]>[];
  parameters?: { name: string; in: string; example?: unknown; schema: { example?: unknown } }[];
  responses: Record<string, { description: string }>;
}

const FOREIGN: Record<string, string>[] = [
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
  { origin: 'https://evil.example' },
  { origin: 'null' },
];
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH'];

describe('every route of the OpenAPI document', () => {
  let api: Harness;
  let routes: Route[];
  const keys = new Map<Scope, string>();
  before(async () => {
    api = await openHarness({ temporal: 'none' });
    routes = routesOf(api);
    for (const scope of KEY_SCOPES) {
      const made = await api.call('POST', '/api_keys', { json: { name: scope, scope } });
      keys.set(scope, ((await made.json()) as { key: string }).key);
    }
  });
  after(() => api.close());

  const call = async ({ method, url }: Pick<Route, 'method' | 'url'>, init: CallOptions) => {
    const response = await api.call(method, url, init);
    const type = response.headers.get('content-type') ?? '';
    const { code, detail } =
      type.startsWith('application/problem+json') && method !== 'HEAD'
        ? ((await response.json()) as { code: string; detail: string })
        : { code: '', detail: '' };
    return { status: response.status, code, detail, allow: response.headers.get('allow') };
  };

  it('declares what it needs, and there are routes of each kind', () => {
    for (const scope of ['open', ...KEY_SCOPES, 'login'] as const)
      assert.ok(
        routes.some((route) => route.scope === scope),
        scope,
      );
    for (const declared of api.router.declared)
      assert.ok(
        ['open', ...KEY_SCOPES, 'login'].includes(declared.scope),
        `${declared.method} ${declared.path} declares no scope`,
      );
    assert.equal(routes.length, api.router.declared.length);
    assert.deepEqual(
      routes.filter(({ changes, scope }) => changes && scope === 'read').map(({ path }) => path),
      [],
      'a key that reads changes nothing',
    );
    assert.deepEqual(
      routes.filter(({ scope }) => scope === 'open').map(({ path }) => path),
      ['/health/live', '/health/ready'],
    );
  });

  it('without credentials is 401, unless it is open', async () => {
    for (const route of routes.filter(({ scope }) => scope !== 'open')) {
      const { status, code } = await call(route, { as: null });
      assert.deepEqual([status, code], [401, 'unauthorized'], `${route.method} ${route.path}`);
    }
  });

  it('with a key of less is 403 that names the needed scope, with enough it is not', async () => {
    for (const route of routes.filter(({ scope }) => scope !== 'open')) {
      for (const [held, key] of keys) {
        const at = `${route.method} ${route.path} with ${held}`;
        const { status, code, detail } = await call(route, { as: null, headers: { 'x-api-key': key } });
        const enough = KEY_SCOPES.indexOf(held as 'read') >= KEY_SCOPES.indexOf(route.scope as 'read');
        if (enough && route.scope !== 'login') {
          assert.ok(status !== 401 && status !== 403, `${at}: ${status}`);
        } else {
          assert.deepEqual([status, code], [403, 'forbidden'], at);
          assert.match(detail, route.scope === 'login' ? /own login/ : new RegExp(`"${route.scope}"`), at);
        }
      }
    }
  });

  it('that changes something is 403 for other sites, with the right credentials too', async () => {
    for (const route of routes.filter(({ changes }) => changes)) {
      for (const headers of FOREIGN) {
        const at = `${route.method} ${route.path} ${JSON.stringify(headers)}`;
        assert.deepEqual((await call(route, { headers })).code, 'cross_site', at);
        const { status } = await call(route, {
          as: null,
          headers: { ...headers, 'x-api-key': keys.get('admin') ?? '' },
        });
        assert.equal(status, 403, at);
      }
    }
  });

  it('that changes something is 405 for HEAD, and undeclared methods are 405 with Allow', async () => {
    for (const path of new Set(routes.map((route) => route.path))) {
      const here = routes.filter((route) => route.path === path);
      const url = here[0]?.url ?? '';
      const declared = here.map(({ method }) => method);
      const reads = here.some(({ method, changes }) => method === 'GET' && !changes);
      const expected = [...declared, ...(reads ? ['HEAD'] : [])].sort().join(', ');
      for (const method of [...METHODS, 'HEAD', 'BREW'].filter((name) => !expected.includes(name))) {
        const { status, allow } = await call({ method, url }, {});
        assert.deepEqual([status, allow], [405, expected], `${method} ${path}`);
      }
    }
  });
});

function routesOf(api: Harness): Route[] {
  const paths = api.contract.document.paths as unknown as Record<string, Record<string, Documented>>;
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([verb, documented]) => ({
      method: verb.toUpperCase(),
      path,
      url: urlOf(path, documented),
      scope: scopeOf(documented),
      changes: documented.responses['403']?.description.includes('cross_site') ?? false,
    })),
  );
}

function scopeOf({ security }: Documented): Scope {
  if (security.length === 0) return 'open';
  const key = security.find((scheme) => 'apiKey' in scheme);
  return (key?.['apiKey']?.[0] as Scope | undefined) ?? 'login';
}

function urlOf(path: string, { parameters = [] }: Documented): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const parameter = parameters.find((candidate) => candidate.in === 'path' && candidate.name === name);
    return encodeURIComponent(String(parameter?.example ?? parameter?.schema.example));
  });
}
