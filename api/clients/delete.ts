import { listKeptOn } from '../../db/queries/client-places.js';
import { lockClient } from '../../db/queries/clients.js';
import type { DeleteClientParams } from '../../workflows/contract/clients/clients.js';
import type { RouteDeps } from '../operations/deps.js';
import type { Planned } from '../operations/plan.js';
import type { StartedBy } from '../operations/caller.js';
import { type Started, startOperation } from '../operations/start.js';
import { noClient } from './read.js';

interface DeleteRequest extends StartedBy {
  id: number;
  /** false: neither a dump nor an archive is left */
  keepBackup: boolean;
}

export function deleteClient(
  deps: RouteDeps,
  { id, keepBackup, caller, options }: DeleteRequest,
): Promise<Started | Planned> {
  return startOperation<DeleteClientParams>(deps, {
    kind: 'delete_client',
    caller,
    options,
    async prepare(tx) {
      const client = await lockClient(tx, id);
      if (client === undefined) throw noClient(id);
      const { serverId, subdomain } = client;
      const keptOn = await listKeptOn(tx, id);
      return {
        params: {
          clientId: id,
          serverId,
          keepBackup,
          keepDays: deps.settings.backupKeepDays,
          ...(keptOn.length === 0 ? {} : { keptOn }),
        },
        named: subdomain,
      };
    },
  });
}
