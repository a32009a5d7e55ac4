import { addRoutes } from './app.js';
import type { RouteDeps } from './deps.js';
import { describeApi } from './openapi.js';
import { createRouter } from './router.js';

// declaring a route calls none of its dependencies, so the document needs no service
const router = createRouter();
addRoutes(router, {} as RouteDeps);
process.stdout.write(`${JSON.stringify(describeApi(router), null, 2)}\n`);
