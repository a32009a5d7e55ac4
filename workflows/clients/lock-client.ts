import type { LicenseRecords } from '../../activities/clients/licenses/license-records.js';
import type { ClientRecords } from '../../activities/clients/records/client-records.js';
import type { SqlActivities } from '../../activities/clients/database/activities.js';
import type { LockClientParams } from '../contract/clients/licenses.js';
import { CLIENT_KINDS } from '../contract/clients/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';

const records = acts<ClientRecords>('clients');
const licenses = acts<LicenseRecords>('clients');
const sql = acts<SqlActivities>('clients');

/**
 * The product locks itself by the end that stands in its settings; this makes sure that it stands there. The settings
 * are those of the client's row, so that there is nothing to undo.
 */
export async function lockClient(input: OperationInput<LockClientParams>): Promise<void> {
  return runOperation(CLIENT_KINDS.lock_client, input, async (op) => {
    const { clientId } = op.params;
    const client = await op.check('find', {
      title: 'Look the client up',
      do: records.requireClientThing({ clientId }),
    });
    await op.step('settings', { title: 'Write cloud settings', do: sql.writeCloudSettings(client) });
    await op.step('record', { title: 'Record as expired', do: licenses.recordLocked({ clientId }) });
  });
}

/** For a client that was locked and whose licence has a later end by now. */
export async function unlockClient(input: OperationInput<LockClientParams>): Promise<void> {
  return runOperation(CLIENT_KINDS.unlock_client, input, async (op) => {
    const { clientId } = op.params;
    const client = await op.check('find', {
      title: 'Look the client up',
      do: records.requireClientThing({ clientId }),
    });
    await op.step('settings', { title: 'Write cloud settings', do: sql.writeCloudSettings(client) });
    await op.step('record', { title: 'Record as active', do: licenses.recordUnlocked({ clientId }) });
  });
}
