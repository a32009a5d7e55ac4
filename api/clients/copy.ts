import { type ClientRow, lockClient } from '../../db/queries/clients.js';
import { findServer } from '../../db/queries/servers.js';
import type { Tx } from '../../db/database.js';
import type { CopyClientParams } from '../../workflows/contract/clients/clients.js';
import type { StartedBy } from '../operations/caller.js';
import type { RouteDeps } from '../operations/deps.js';
import type { Planned } from '../operations/plan.js';
import { type Started, startOperation } from '../operations/start.js';
import { invalidInput } from '../http/router.js';
import { noClient } from './read.js';
import { PRESENT, requireStatus } from './status.js';

export interface CopyRequest extends StartedBy {
  sourceId: number;
  targetId: number;
}

/** Starts a copy of one client's environment and data into a demo or test client on a stage server. */
export async function copyClient(deps: RouteDeps, request: CopyRequest): Promise<Started | Planned> {
  const { sourceId, targetId, caller, options } = request;
  return startOperation<CopyClientParams>(
    { ...deps },
    {
      kind: 'copy_client',
      caller,
      options,
      async prepare(tx) {
        const { source, target } = await lockBoth(tx, request);
        await refuseTarget(tx, source, target);
        for (const client of [source, target]) await requireStatus(tx, client, PRESENT);
        return {
          params: {
            ...{ clientId: targetId, serverId: target.serverId },
            ...{ sourceId, sourceServerId: source.serverId },
            keepDays: deps.settings.backupKeepDays,
          },
          named: `${source.subdomain} into ${target.subdomain}`,
        };
      },
    },
  );
}

/** In the order of their ids, so that two copies in opposite directions never wait for each other. */
async function lockBoth(
  tx: Tx,
  { sourceId, targetId }: CopyRequest,
): Promise<{ source: ClientRow; target: ClientRow }> {
  const rows = new Map<number, ClientRow>();
  for (const id of [sourceId, targetId].sort((one, other) => one - other)) {
    const row = await lockClient(tx, id);
    if (row === undefined) throw noClient(id);
    rows.set(id, row);
  }
  return { source: rows.get(sourceId) as ClientRow, target: rows.get(targetId) as ClientRow };
}

async function refuseTarget(tx: Tx, source: ClientRow, target: ClientRow): Promise<void> {
  const [from, to] = [await findServer(tx, source.serverId), await findServer(tx, target.serverId)];
  const refused =
    source.id === target.id
      ? 'is the client itself'
      : target.kind === 'client'
        ? 'is of kind client: only a demo or test can be written over'
        : to?.stage !== true
          ? 'is not on a stage server'
          : from?.sqlEngine !== to.sqlEngine
            ? `is on ${to.sqlEngine}, the source on ${from?.sqlEngine ?? 'none'}`
            : from.product !== to.product
              ? 'is of another product'
              : undefined;
  if (refused !== undefined) throw invalidInput([{ field: 'client_id', message: refused }]);
}
