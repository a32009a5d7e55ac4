import type { ConfigurationActivities } from '../../activities/servers/configuration.js';
import type { RefreshResult, ServerFanOutParams } from '../contract/servers/fleet.js';
import { SERVER_KINDS } from '../contract/servers/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import { refreshClients } from './refresh-clients.js';

const configuration = acts<ConfigurationActivities>('servers');

/** The product's current configuration is pulled, then every client's own is made anew from it. */
export async function reconfigurateServer(input: OperationInput<ServerFanOutParams>): Promise<RefreshResult> {
  return runOperation(SERVER_KINDS.reconfigurate_server, input, async (op) => {
    await op.step('pull', {
      title: 'Pull the configuration',
      do: configuration.pullConfiguration({ serverId: op.params.serverId }),
      // a repository of some hundred megabytes over a slow line
      within: '30 minutes',
    });
    return refreshClients(op);
  });
}
