import { listClientsOfServer } from '../../db/queries/servers.js';
import type { RouteDeps } from '../operations/deps.js';
import { requireServer } from './read.js';

/** Versions of the product's image on a server, with the clients that use each. */
export async function readImages(deps: RouteDeps, id: number) {
  await requireServer(deps, id);
  const [list, clients] = await Promise.all([
    deps.probes.ask({ kind: 'images', serverId: id }),
    listClientsOfServer(deps.db, id),
  ]);
  const data = list.images.map((image) => ({
    tag: image.tag,
    id: image.id,
    size_bytes: image.sizeBytes,
    created_at: image.createdAt,
    branch: image.branch,
    commit: image.commit,
    clients: clients.filter((client) => client.versionTag === image.tag).map((client) => client.id),
  }));
  return { read_at: list.readAt, data };
}
