import type { ClientRecords } from '../../activities/clients/records/client-records.js';
import type { LockClientParams } from '../contract/clients/licenses.js';
import { CLIENT_KINDS } from '../contract/clients/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import { secureClient } from './secure-client.js';

const records = acts<ClientRecords>('clients');

/** Makes good what a create could not do, or what nobody has renewed. There is nothing to undo: http serves on meanwhile. */
export async function issueCertificate(input: OperationInput<LockClientParams>): Promise<void> {
  return runOperation(CLIENT_KINDS.issue_certificate, input, async (op) => {
    const client = await op.check('find', {
      title: 'Look the client up',
      do: records.requireClientThing({ clientId: op.params.clientId }),
    });
    await secureClient(op, client, { soft: false });
  });
}
