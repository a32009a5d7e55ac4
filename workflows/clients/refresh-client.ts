import type { ClientRecords } from '../../activities/clients/records/client-records.js';
import type { RefreshClientParams } from '../contract/clients/clients.js';
import { CLIENT_KINDS } from '../contract/clients/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import { refreshSteps } from './refresh-steps.js';

const records = acts<ClientRecords>('clients');

/** Configuration from the server's current `.env.example` and the present profile and templates; `changed`: something differed. */
export async function refreshClient(
  input: OperationInput<RefreshClientParams>,
): Promise<{ changed: boolean }> {
  return runOperation(CLIENT_KINDS.refresh_client, input, async (op) => {
    const client = await op.check('find', {
      title: 'Look the client up',
      do: records.requireClientThing({ clientId: op.params.clientId }),
    });
    const { changed, dropFormer } = await refreshSteps(op, { client });

    op.commit();
    await dropFormer();
    return { changed };
  });
}
