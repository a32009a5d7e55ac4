import type { ClientNames } from '../../../workflows/contract/clients/clients.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import type { Server } from '../../hosts/connections.js';
import type { SqlSession } from '../../sql/engine.js';
import { checkIdentifier } from '../../sql/identifiers.js';
import { openSql } from '../../sql/open-sql.js';
import type { Connections } from '../connections.js';

export type SqlConnections = Pick<Connections, 'servers' | 'secrets' | 'requireOpen'>;

/**
 * A session on the engine of a client's server. That the operation is not over is asked once the session is open: a worker
 * that stands still afterwards finds it ended by the server when it wakes up (`IDLE_SESSION_S`).
 */
export async function withSession<Result>(
  { servers, secrets, requireOpen }: SqlConnections,
  { name, serverId }: ClientNames,
  step: StepContext,
  act: (session: SqlSession, server: Server) => Promise<Result>,
): Promise<Result> {
  // what is no plain name is refused before any engine has compared it in its own way
  checkIdentifier(name);
  const server = await servers.get(serverId);
  const password = await secrets.reveal(server.sqlPassword);
  return openSql(server, password, step.signal, async (session) => {
    await requireOpen(step);
    return act(session, server);
  });
}
