import type { RefreshActivities } from '../../activities/clients/containers/refresh.js';
import type { ClientRecords } from '../../activities/clients/records/client-records.js';
import type { RebootClientParams } from '../contract/clients/clients.js';
import { CLIENT_KINDS } from '../contract/clients/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';

const records = acts<ClientRecords>('clients');
const docker = acts<RefreshActivities>('clients');

/** Nothing to undo: a client that does not come up holds, for a person to look at. */
export async function rebootClient(input: OperationInput<RebootClientParams>): Promise<void> {
  return runOperation(CLIENT_KINDS.reboot_client, input, async (op) => {
    const client = await op.check('find', {
      title: 'Look the client up',
      do: records.requireClientThing({ clientId: op.params.clientId }),
    });
    await op.step('restart', {
      title: 'Restart containers',
      target: client.names.name,
      do: docker.restartContainers(client),
      within: '10 minutes',
    });
  });
}
