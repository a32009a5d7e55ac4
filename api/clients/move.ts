import { lockClient } from '../../db/queries/clients.js';
import { listKeptOn } from '../../db/queries/client-places.js';
import { findServer, type ServerRow, shareServer } from '../../db/queries/servers.js';
import type { Tx } from '../../db/database.js';
import type { MoveClientParams } from '../../workflows/contract/clients/clients.js';
import type { StartedBy } from '../operations/caller.js';
import type { RouteDeps } from '../operations/deps.js';
import type { Planned } from '../operations/plan.js';
import { type Started, startOperation } from '../operations/start.js';
import { Problem } from '../http/problem.js';
import { invalidInput } from '../http/router.js';
import { noClient } from './read.js';
import { PRESENT, requireStatus } from './status.js';

export interface MoveRequest extends StartedBy {
  id: number;
  targetServerId: number;
}

/** Starts the move of a client to another server of the same SQL engine. */
export async function moveClient(deps: RouteDeps, request: MoveRequest): Promise<Started | Planned> {
  const { id, targetServerId, caller, options } = request;
  return startOperation<MoveClientParams>(
    { ...deps },
    {
      kind: 'move_client',
      caller,
      options,
      async prepare(tx) {
        const client = await lockClient(tx, id);
        if (client === undefined) throw noClient(id);
        const target = await shareServer(tx, targetServerId);
        if (target === undefined)
          throw new Problem('not_found', { detail: `There is no server ${targetServerId}` });
        refuseTarget(await findServer(tx, client.serverId), target);
        await requireStatus(tx, client, PRESENT);
        await refuseKept(tx, request);
        return {
          params: {
            clientId: id,
            serverId: client.serverId,
            targetServerId,
            keepDays: deps.settings.moveKeepDays,
          },
          named: `${client.subdomain} to ${target.name}`,
        };
      },
    },
  );
}

function refuseTarget(source: ServerRow | undefined, target: ServerRow): void {
  const message =
    source?.id === target.id
      ? 'the client is on this server'
      : !target.active
        ? 'the server is not active'
        : source?.sqlEngine !== target.sqlEngine
          ? `the server has ${target.sqlEngine}, the client is on ${source?.sqlEngine ?? 'none'}`
          : undefined;
  if (message !== undefined) throw invalidInput([{ field: 'server_id', message }]);
}

/** Its things would stand in the way of new ones of the same names. */
async function refuseKept(tx: Tx, { id, targetServerId }: MoveRequest): Promise<void> {
  if (!(await listKeptOn(tx, id)).includes(targetServerId)) return;
  throw new Problem('wrong_status', {
    detail: `Server ${targetServerId} still keeps the source of an earlier move of client ${id}`,
  });
}
