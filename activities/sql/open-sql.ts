import type { SqlEngine } from '../../db/schema/servers.js';
import { type FailureKind, failure } from '../../workflows/contract/operation/failures.js';
import { nameOf, type SqlAddress } from '../hosts/connections.js';
import type { SqlEngineDriver, SqlSession } from './engine.js';
import { mariadb } from './mariadb.js';
import { postgres } from './postgres.js';

const DRIVERS: Record<SqlEngine, SqlEngineDriver> = { mariadb, postgres };

const HINTS: Partial<Record<FailureKind, string>> = {
  Unauthorized:
    'check sql_user and sql_password of the server and its rights (check_host lists what is missing)',
  CapacityExceeded: 'free space on the SQL server, then retry',
};

/** Runs `act` on one connection to the server's engine; what the engine says becomes the failure kinds. */
export async function openSql<Result>(
  server: SqlAddress,
  password: string,
  signal: AbortSignal,
  act: (session: SqlSession) => Promise<Result>,
): Promise<Result> {
  const driver = DRIVERS[server.sqlEngine];
  const login = { host: server.host, port: server.sqlPort, user: server.sqlUser, password };
  try {
    return await driver.connect(login, signal, act);
  } catch (error) {
    // a cut connection says nothing about the server when we have cut it
    signal.throwIfAborted();
    const kind = driver.kindOf(error);
    if (kind === undefined) throw error;
    const hint = HINTS[kind];
    const where = `${server.sqlEngine} on ${nameOf(server)}, port ${server.sqlPort}, user ${server.sqlUser}`;
    throw failure(kind, `${where}: ${(error as Error).message}`, hint === undefined ? {} : { hint });
  }
}
