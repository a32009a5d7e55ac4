import { addRoutes } from './app.js';
import type { RouteDeps } from './operations/deps.js';
import { describeApi } from './http/openapi.js';
import { createRouter } from './http/router.js';

// declaring a route calls none of its dependencies, so the document needs no service
const router = createRouter();
addRoutes(router, {} as RouteDeps);
process.stdout.write(`${JSON.stringify(describeApi(router), null, 2)}\n`);
