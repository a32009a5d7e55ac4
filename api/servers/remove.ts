import { recordAudit } from '../../db/queries/audit.js';
import { countPlaces } from '../../db/queries/client-places.js';
import { countClients, deleteServer, lockServer } from '../../db/queries/servers.js';
import { auditOf } from '../operations/caller.js';
import type { RouteDeps } from '../operations/deps.js';
import type { Caller } from '../operations/record-start.js';
import { Problem } from '../http/problem.js';
import { noServer } from './read.js';

/** Removes the record of a server; 409 while clients, or what moves keep, are there. */
export async function removeServer({ db, secrets }: RouteDeps, caller: Caller, id: number): Promise<void> {
  await db.transaction(async (tx) => {
    if ((await lockServer(tx, id)) === undefined) throw noServer(id);
    const clients = (await countClients(tx, [id])).get(id) ?? 0;
    if (clients > 0) throw new Problem('in_use', { detail: `${clients} client(s) live on server ${id}` });
    const places = (await countPlaces(tx, [id])).get(id) ?? 0;
    if (places > 0)
      throw new Problem('in_use', {
        detail: `${places} kept source(s) or target(s) of moves are on server ${id}`,
      });
    await deleteServer(tx, id);
    await secrets.eraseAllOf(tx, `servers/${id}`);
    await recordAudit(tx, auditOf(caller, { subject: `server:${id}`, outcome: 'deleted' }));
  });
}
