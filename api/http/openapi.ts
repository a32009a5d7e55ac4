import type { Router } from './router.js';

const DESCRIPTION = `Slipway launches, keeps and scraps the environments that a software vendor runs for its customers.

Bodies are taken as form-data, urlencoded and JSON alike. Errors are \`application/problem+json\` (RFC 9457) with a
stable \`code\`. Whatever takes more than a moment is an operation: the answer is 202 with its address, and the
operation goes on whatever happens to this process. Trailing slashes are tolerated; \`/server/…\` is \`/servers/…\`.

Requests are bounded per caller and address, those that change something more tightly: \`RateLimit-Limit\`,
\`RateLimit-Remaining\` and \`RateLimit-Reset\` (seconds) say what is left, 429 with \`Retry-After\` that it is used up.`;

/** The OpenAPI 3.1 document of everything that was declared on the router. */
export function describeApi(router: Router) {
  const registry = router.hono.openAPIRegistry;
  if (!registry.definitions.some((definition) => definition.type === 'component')) {
    const description =
      'A key of a tool, with the scope `read`, `operate` or `admin`, each with those before it. An operation names the one that it needs.';
    registry.registerComponent('securitySchemes', 'apiKey', {
      type: 'apiKey',
      in: 'header',
      name: 'x-api-key',
      description,
    });
    registry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer', description });
    // the last, because the page's dialog puts the cursor there
    registry.registerComponent('securitySchemes', 'basic', {
      type: 'http',
      scheme: 'basic',
      description: 'The administrator: holds every scope',
    });
  }
  return router.hono.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'Slipway', version: '0.1.0', description: DESCRIPTION, license: { name: 'MIT' } },
    servers: [{ url: '/', description: 'Here' }],
    tags: [
      { name: 'Clients', description: "Customers' environments on Docker servers" },
      { name: 'Servers', description: 'Docker hosts' },
      { name: 'Operations', description: 'Durable runs of multistep tasks' },
      { name: 'Access', description: 'Passwords, keys, audit' },
      { name: 'Health', description: 'For orchestrators' },
      { name: 'Documents', description: 'This document, metrics' },
    ],
  });
}
