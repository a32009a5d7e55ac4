import ipaddr from 'ipaddr.js';
import { and, eq, isNotNull } from 'drizzle-orm';
import type { Queries } from '../../../db/database.js';
import { clientPlaces, clients, type servers } from '../../../db/schema/index.js';
import { failure } from '../../../workflows/contract/operation/failures.js';

type Server = typeof servers.$inferSelect;

/** A /28 holds the gateway, the containers of one client and their one-off commands. */
const CLIENT_PREFIX = 28;
const CLIENT_SUBNET_SIZE = 2 ** (32 - CLIENT_PREFIX);

/**
 * A free port and /28 of a server, each the first from the number `start` on: what the host shows to be unusable after
 * all, such as a port that a crashed engine still holds (moby issue 36591), is not what the next one gets again. Whoever
 * takes them calls it while the server's row is locked.
 */
export async function findAddresses(
  db: Queries,
  server: Server,
  start: number,
): Promise<{ port: number; subnetIndex: number }> {
  const living = await db
    .select({ port: clients.port, subnetIndex: clients.subnetIndex })
    .from(clients)
    .where(and(eq(clients.serverId, server.id), isNotNull(clients.port)));
  const beside = await db
    .select({ port: clientPlaces.port, subnetIndex: clientPlaces.subnetIndex })
    .from(clientPlaces)
    .where(eq(clientPlaces.serverId, server.id));
  const rows = [...living, ...beside];
  const { portFrom, portTo, clientPool } = server;
  const portIndex = firstFree(
    portTo - portFrom + 1,
    start,
    rows.map((row) => (row.port ?? 0) - portFrom),
  );
  const subnetIndex = firstFree(
    subnetCount(clientPool),
    start,
    rows.map((row) => row.subnetIndex),
  );
  if (portIndex !== undefined && subnetIndex !== undefined)
    return { port: portFrom + portIndex, subnetIndex };
  throw failure(
    'CapacityExceeded',
    `server ${server.name} has no free ${portIndex === undefined ? 'port' : 'network'} left`,
    {
      hint: 'widen port_range or client_pool of the server, or delete clients, then retry',
    },
  );
}

/** Of the numbers below `count`, from `start` on and round. */
function firstFree(count: number, start: number, taken: (number | null)[]): number | undefined {
  const known = new Set(taken);
  for (let step = 0; step < count; step += 1) {
    const candidate = (start + step) % count;
    if (!known.has(candidate)) return candidate;
  }
  return undefined;
}

/** How many clients a pool has room for. */
export function subnetCount(pool: string): number {
  const [, prefix] = ipaddr.IPv4.parseCIDR(pool);
  return prefix > CLIENT_PREFIX ? 0 : 2 ** (CLIENT_PREFIX - prefix);
}

/** `10.213.0.16/28` for index 1 of `10.213.0.0/16`. */
export function subnetAt(pool: string, index: number): string {
  const base = ipaddr.IPv4.networkAddressFromCIDR(pool).toByteArray();
  const start = base.reduce((number, byte) => number * 256 + byte, 0) + index * CLIENT_SUBNET_SIZE;
  const bytes = [24, 16, 8, 0].map((shift) => Math.floor(start / 2 ** shift) % 256);
  return `${bytes.join('.')}/${CLIENT_PREFIX}`;
}
