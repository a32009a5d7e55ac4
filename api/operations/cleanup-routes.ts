import { answerStarted, callerOf, startOptions } from './caller.js';
import type { RouteDeps } from './deps.js';
import { startCleanup } from './cleanup.js';
import type { Router } from '../http/router.js';
import { OperationParams } from './schemas.js';
import { StartQuery } from '../http/pages.js';
import { starting, STARTS } from './start-schemas.js';

export function addOperationCleanupRoutes(router: Router, deps: RouteDeps): void {
  router.add(
    {
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
    },
    async (c, { params: { id }, query }) =>
      answerStarted(
        c,
        await startCleanup(deps, { id, caller: callerOf(c, { query }), options: startOptions(query) }),
      ),
  );
}
