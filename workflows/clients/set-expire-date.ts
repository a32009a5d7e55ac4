import type { ClientChangeRecords } from '../../activities/clients/records/client-change-records.js';
import type { SqlActivities } from '../../activities/clients/database/activities.js';
import type { SetExpireDateParams } from '../contract/clients/clients.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import { clientDefinition } from './client-definition.js';

const records = acts<ClientChangeRecords>();
const sql = acts<SqlActivities>();

const definition = clientDefinition<SetExpireDateParams>({
  kind: 'set_expire_date',
  title: ({ clientId }) => `Set the licence end of client ${clientId}`,
});

/** The product blocks and unblocks by what stands in its `cloud_settings`; the date itself is in the recorded change. */
export async function setExpireDate(input: OperationInput<SetExpireDateParams>): Promise<void> {
  return runOperation(definition, input, async (op) => {
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
