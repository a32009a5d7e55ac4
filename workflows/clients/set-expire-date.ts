import type { ClientChangeRecords } from '../../activities/clients/records/client-change-records.js';
import type { SqlActivities } from '../../activities/clients/database/activities.js';
import type { SetExpireDateParams } from '../contract/clients/clients.js';
import { CLIENT_KINDS } from '../contract/clients/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';

const records = acts<ClientChangeRecords>('clients');
const sql = acts<SqlActivities>('clients');

/** The product blocks and unblocks by what stands in its `cloud_settings`; the date itself is in the recorded change. */
export async function setExpireDate(input: OperationInput<SetExpireDateParams>): Promise<void> {
  return runOperation(CLIENT_KINDS.set_expire_date, input, async (op) => {
    const { clientId } = op.params;
    const change = op.id;
    const thing = await op.check('find', {
      title: 'Look the client up',
      do: records.requireChangedThing({ clientId, change }),
    });
    const client = { ...thing, change };
    await op.step('settings', {
      title: 'Write the licence end',
      target: thing.names.name,
      do: sql.changeCloudSettings({ ...client, keys: ['license_expires_at'] }),
      undo: sql.restoreCloudSettings(client),
    });
    await op.step('record', {
      title: 'Record the change',
      do: records.recordChange({ clientId, change }),
      undo: records.restoreRecord({ clientId, change }),
    });
    op.commit();
  });
}
