import { findServer, type ServerRow } from '../../db/queries/servers.js';
import type { RouteDeps } from '../operations/deps.js';
import { Problem } from '../http/problem.js';

export async function requireServer({ db }: Pick<RouteDeps, 'db'>, id: number): Promise<ServerRow> {
  const row = await findServer(db, id);
  if (row === undefined) throw noServer(id);
  return row;
}

export function noServer(id: number): Problem {
  return new Problem('not_found', { detail: `There is no server ${id}` });
}
