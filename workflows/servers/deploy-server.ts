import type { RefreshResult, ServerFanOutParams } from '../contract/servers/fleet.js';
import { SERVER_KINDS } from '../contract/servers/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { runOperation } from '../operation/operation.js';
import { refreshClients } from './refresh-clients.js';

/** Every client's configuration is made anew from what the server has; what changed is restarted. Then come migrations. */
export async function deployServer(input: OperationInput<ServerFanOutParams>): Promise<RefreshResult> {
  return runOperation(SERVER_KINDS.deploy_server, input, async (op) => ({
    ...(await refreshClients(op)),
    next: `POST /servers/${op.params.serverId}/migrate_all`,
  }));
}
