import {
  countClients,
  findServer,
  listServers,
  recordReading,
  type ServerRow,
} from '../../db/queries/servers.js';
import type { ServerLoad } from '../../workflows/contract/servers/probes.js';
import type { RouteDeps } from '../operations/deps.js';
import { Problem } from '../http/problem.js';
import { loadAnswer, serverAnswer } from './answer.js';

export async function listServerPage({ db }: RouteDeps, asked: Parameters<typeof listServers>[1]) {
  const { rows, total } = await listServers(db, asked);
  const clients = await countClients(
    db,
    rows.map((row) => row.id),
  );
  return { total, data: rows.map((row) => serverAnswer(row, clients.get(row.id) ?? 0)) };
}

/** With its load, as read just now or else last. */
export async function readServer(deps: RouteDeps, id: number) {
  const row = await requireServer(deps, id);
  const [clients, reading] = await Promise.all([countClients(deps.db, [id]), readLoad(deps, row)]);
  return { ...serverAnswer(row, clients.get(id) ?? 0), ...reading };
}

async function readLoad({ db, probes }: RouteDeps, row: ServerRow) {
  try {
    const load = await probes.ask({ kind: 'load', serverId: row.id });
    await recordReading(db, row.id, { ...load });
    return { reachable: true, reason: null, load: loadAnswer(load) };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const last = row.reading as ServerLoad | null | undefined;
    return { reachable: false, reason: error.message, load: last ? loadAnswer(last) : null };
  }
}

export async function requireServer({ db }: Pick<RouteDeps, 'db'>, id: number): Promise<ServerRow> {
  const row = await findServer(db, id);
  if (row === undefined) throw noServer(id);
  return row;
}

export function noServer(id: number): Problem {
  return new Problem('not_found', { detail: `There is no server ${id}` });
}
