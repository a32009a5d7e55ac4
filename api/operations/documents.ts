import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { z } from '@hono/zod-openapi';
import type { RouteDeps } from './deps.js';
import { describeApi } from '../http/openapi.js';
import { PROBLEMS } from '../http/problem.js';
import { json, media } from '../http/answers.js';
import { endpoint } from '../http/endpoint.js';
import { type Router } from '../http/router.js';

const tag = 'Documents';
/** Of the package's files only these; served from here, so that the page works without internet. */
const ASSETS: Record<string, string> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};
/** The page's own files, and nothing from elsewhere; Swagger UI sets styles inline. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'";

/**
 * Swagger UI fills fields with examples and sends them: 'Execute' would filter by them, repeat a key, or only plan. What may
 * be left out is left out, and its example is told. It also takes every fragment for one of its own, those of problems too.
 */
const START = `const { hash } = location;
const ofProblem = hash.startsWith('#problem-');

function withoutOptionalValues(spec) {
  const operations = Object.values(spec.paths).flatMap((path) => Object.values(path));
  for (const parameter of operations.flatMap(({ parameters = [] }) => parameters)) {
    const { required, description, schema } = parameter;
    if (required || schema.example === undefined) continue;
    parameter.description = description + ' (such as \`' + schema.example + '\`)';
    delete schema.example;
  }
  return spec;
}

window.ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#ui',
  validatorUrl: null,
  deepLinking: !ofProblem,
  plugins: [
    { statePlugins: { spec: { wrapActions: { updateJsonSpec: (update) => (spec) => update(withoutOptionalValues(spec)) } } } },
  ],
  onComplete: () => ofProblem && document.getElementById(hash.slice(1))?.scrollIntoView({ block: 'center' }),
});
`;

const file = (description: string, ...types: string[]) =>
  media(description, Object.fromEntries(types.map((type) => [type, { schema: z.string() }])));

const OPENAPI = endpoint({
  method: 'get',
  path: '/openapi.json',
  tag,
  summary: 'This document',
  description: 'OpenAPI 3.1, made from the schemas that validate.',
  scope: 'read',
  changes: false,
  responses: { 200: json('OpenAPI 3.1', z.record(z.string(), z.unknown())) },
});

const PAGE_ROUTE = endpoint({
  method: 'get',
  path: '/docs',
  tag,
  summary: 'This document as a page',
  description: 'Swagger UI, served from here.',
  scope: 'read',
  changes: false,
  responses: { 200: file('The page', 'text/html') },
});

const ASSET = endpoint({
  method: 'get',
  path: '/docs/{file}',
  tag,
  summary: 'Files of the page',
  description: 'Style sheet, script and icon.',
  params: z.object({
    file: z
      .enum(['start.js', ...Object.keys(ASSETS)] as [string, ...string[]])
      .openapi({ param: { name: 'file', in: 'path' }, description: 'File', example: 'swagger-ui.css' }),
  }),
  scope: 'read',
  changes: false,
  responses: { 200: file('The file', 'text/css', 'text/javascript', 'image/png') },
});

const METRICS = endpoint({
  method: 'get',
  path: '/metrics',
  tag,
  summary: 'Metrics',
  description: 'Prometheus text format.',
  scope: 'read',
  changes: false,
  responses: { 200: file('Metrics', 'text/plain') },
});

export function addDocumentRoutes(router: Router, deps: Pick<RouteDeps, 'metrics'>): void {
  router.add(OPENAPI, () => ({ status: 200, body: { ...describeApi(router) } }));
  router.add(PAGE_ROUTE, (c) => {
    c.header('Content-Security-Policy', PAGE_POLICY);
    return { response: c.html(PAGE) };
  });
  router.add(ASSET, async (c, { params: { file: name } }) => {
    if (name === 'start.js')
      return { response: c.body(START, 200, { 'Content-Type': 'text/javascript; charset=utf-8' }) };
    const bytes = await readFile(join(assetsDirectory(), name));
    // named by no version: asked again after an hour
    const headers = { 'Content-Type': ASSETS[name] ?? '', 'Cache-Control': 'private, max-age=3600' };
    return { response: c.body(new Uint8Array(bytes), 200, headers) };
  });
  router.add(METRICS, async (c) => {
    const { registry } = deps.metrics;
    return { response: c.body(await registry.metrics(), 200, { 'Content-Type': registry.contentType }) };
  });
}

function assetsDirectory(): string {
  return join(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'), '..');
}

const PROBLEM_LIST = Object.entries(PROBLEMS)
  .map(
    ([code, [status, title]]) =>
      `<dt id="problem-${code}"><code>${code}</code> (${status})</dt><dd>${title}</dd>`,
  )
  .join('\n');

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Slipway API</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<style>body { margin: 0 } :target { background: #fff3c4 }</style>
</head>
<body>
<div id="ui"></div>
<section class="swagger-ui"><div class="wrapper"><h2>Problems</h2><dl>${PROBLEM_LIST}</dl></div></section>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;
