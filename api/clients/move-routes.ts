import { z } from '@hono/zod-openapi';
import { startedAnswer, startOf } from '../operations/caller.js';
import { copyClient } from './copy.js';
import { moveClient } from './move.js';
import type { RouteDeps } from '../operations/deps.js';
import { rowId } from '../http/fields.js';
import type { Router } from '../http/router.js';
import { StartQuery } from '../http/pages.js';
import { starting, STARTS } from '../operations/start-schemas.js';

const tag = 'Clients';

const clientId = (description: string) => rowId().openapi({ description, example: 42 });

const MoveParams = z.object({
  id: clientId('The client'),
  server_id: rowId().openapi({ description: 'Server to move it to', example: 4 }),
});

const CopyParams = z.object({
  id: clientId('The client that is read'),
  client_id: clientId('The client that is written over'),
});

/** Each answers POST, and GET as panels call it. */
const METHODS = ['get', 'post'] as const;

export function addClientMoveRoutes(router: Router, deps: RouteDeps): void {
  for (const method of METHODS) {
    router.add(
      {
        ...starting,
        method,
        path: '/clients/{id}/move_to/{server_id}',
        tag,
        summary: 'Move a client to another server',
        description:
          'Prepares the target while the source serves, then moves the data with traffic off. With another domain the old address redirects for some days, with the same it is passed on. The stopped source is kept as long.',
        params: MoveParams,
        query: StartQuery,
        problems: ['wrong_status', ...STARTS],
      },
      async (c, { params: { id, server_id: targetServerId }, query }) =>
        startedAnswer(await moveClient(deps, { id, targetServerId, ...startOf(c, query) })),
    );

    router.add(
      {
        ...starting,
        method,
        path: '/clients/{id}/copy_to/{client_id}',
        tag,
        summary: 'Copy a client into another one',
        description:
          'Environment and data, into a demo or test client on a stage server, which stays who it is. The copy is made harmless before anybody sees it; the former data are backed up. The source serves on.',
        params: CopyParams,
        query: StartQuery,
        problems: ['wrong_status', ...STARTS],
      },
      async (c, { params: { id: sourceId, client_id: targetId }, query }) =>
        startedAnswer(await copyClient(deps, { sourceId, targetId, ...startOf(c, query) })),
    );
  }
}
