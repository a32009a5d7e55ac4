import type { ConfigurationActivities } from '../../activities/servers/configuration.js';
import type { RefreshResult, ServerFanOutParams } from '../contract/servers/fleet.js';
import { subjectId } from '../contract/operation/ids.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { requireId } from '../clients/params.js';
import { rulesOf } from '../fleet/rules.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import { refreshClients } from './refresh-clients.js';

const configuration = acts<ConfigurationActivities>();

const definition = {
  kind: 'reconfigurate_server',
  subject: ({ serverId }: ServerFanOutParams) => subjectId('server', serverId),
  title: ({ serverId }: ServerFanOutParams) => `Reconfigurate server ${serverId}`,
  attributes: ({ serverId }: ServerFanOutParams) => ({ ServerId: String(serverId) }),
  tidy: ({ serverId }: ServerFanOutParams, operation: string) =>
    configuration.removeServerJobs({ serverId, operation }),
  validate({ serverId, rules }: ServerFanOutParams) {
    requireId('serverId', serverId);
    rulesOf(rules);
  },
};

/** The product's current configuration is pulled, then every client's own is made anew from it. */
export async function reconfigurateServer(input: OperationInput<ServerFanOutParams>): Promise<RefreshResult> {
  return runOperation(definition, input, async (op) => {
    await op.step('pull', {
      title: 'Pull the configuration',
      do: configuration.pullConfiguration({ serverId: op.params.serverId }),
      // a repository of some hundred megabytes over a slow line
      within: '30 minutes',
    });
    return refreshClients(op);
  });
}
