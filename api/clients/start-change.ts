import { deleteClientChange, insertClientChange } from '../../db/queries/client-changes.js';
import { type ClientRow, lockClient } from '../../db/queries/clients.js';
import type { Tx } from '../../db/database.js';
import type { ClientStatus } from '../../workflows/contract/clients/statuses.js';
import type { ClientChange } from '../../workflows/contract/clients/client-change.js';
import type { OperationKind } from '../../workflows/contract/kinds.js';
import type { StartedBy } from '../operations/caller.js';
import type { RouteDeps } from '../operations/deps.js';
import type { Planned } from '../operations/plan.js';
import { type Started, startOperation } from '../operations/start.js';
import { noClient } from './read.js';
import { requireStatus } from './status.js';

interface Wish<Params> {
  params: Params;
  named?: string;
  /** what the operation carries to the client and then writes into its row */
  changes?: ClientChange;
  /** what the audit says beside */
  detail?: Record<string, unknown>;
}

export interface StartChange<Params> extends StartedBy {
  kind: OperationKind;
  id: number;
  /** statuses in which it makes sense; anything else is 409 */
  allowed: readonly ClientStatus[];
  wish(client: ClientRow, tx: Tx): Promise<Wish<Params>> | Wish<Params>;
}

/** Starts an operation on a client that exists; what it changes is recorded with it, and taken back when it is refused. */
export function startChange<Params>(
  deps: RouteDeps,
  { kind, id, caller, options, allowed, wish }: StartChange<Params>,
): Promise<Started | Planned> {
  return startOperation<Params & { clientId: number; serverId: number }>(
    { ...deps },
    {
      kind,
      caller,
      options,
      async prepare(tx, operation) {
        const client = await lockClient(tx, id);
        if (client === undefined) throw noClient(id);
        await requireStatus(tx, client, allowed);
        const { params, named, changes, detail } = await wish(client, tx);
        if (changes !== undefined)
          await insertClientChange(tx, { operationId: operation.id, clientId: id, changes });
        const { serverId } = client;
        return {
          params: { ...params, clientId: id, serverId },
          ...(named === undefined ? {} : { named }),
          ...(detail === undefined ? {} : { detail }),
          abandon: (later) => deleteClientChange(later, operation.id),
        };
      },
    },
  );
}
