import { startedAnswer, startOf } from './caller.js';
import type { RouteDeps } from './deps.js';
import { startCleanup } from './cleanup.js';
import { endpoint } from '../http/endpoint.js';
import type { Router } from '../http/router.js';
import { OperationParams } from './schemas.js';
import { StartQuery } from '../http/pages.js';
import { starting, STARTS } from './start-schemas.js';

const CLEANUP = endpoint({
  ...starting,
  method: 'post',
  path: '/operations/{id}/cleanup',
  tag: 'Operations',
  summary: 'Clean up what is left',
  description:
    "Undoes what ended operations have left on this one's subject, newest first, as an operation of its own. Commands that still run are ended first.",
  params: OperationParams,
  query: StartQuery,
  problems: ['not_found', 'nothing_left', ...STARTS],
});

export function addOperationCleanupRoutes(router: Router, deps: RouteDeps): void {
  router.add(CLEANUP, async (c, { params: { id }, query }) =>
    startedAnswer(await startCleanup(deps, { id, ...startOf(c, query, { query }) })),
  );
}
