import { subjectId } from '../contract/operation/ids.js';
import type { RefreshResult, ServerFanOutParams } from '../contract/servers/fleet.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { requireId } from '../clients/params.js';
import { rulesOf } from '../fleet/rules.js';
import { runOperation } from '../operation/operation.js';
import { refreshClients } from './refresh-clients.js';

const definition = {
  kind: 'deploy_server',
  subject: ({ serverId }: ServerFanOutParams) => subjectId('server', serverId),
  title: ({ serverId }: ServerFanOutParams) => `Deploy all configurations of server ${serverId}`,
  attributes: ({ serverId }: ServerFanOutParams) => ({ ServerId: String(serverId) }),
  validate({ serverId, rules }: ServerFanOutParams) {
    requireId('serverId', serverId);
    rulesOf(rules);
  },
};

/** Every client's configuration is made anew from what the server has; what changed is restarted. Then come migrations. */
export async function deployServer(input: OperationInput<ServerFanOutParams>): Promise<RefreshResult> {
  return runOperation(definition, input, async (op) => ({
    ...(await refreshClients(op)),
    next: `POST /servers/${op.params.serverId}/migrate_all`,
  }));
}
