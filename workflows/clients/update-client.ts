import type { ReversibleCommands } from '../../activities/clients/commands/reversible.js';
import type { ClientChangeRecords } from '../../activities/clients/records/client-change-records.js';
import type { SqlActivities } from '../../activities/clients/database/activities.js';
import { isCarriedTo } from '../contract/clients/client-change.js';
import type { UpdateClientParams } from '../contract/clients/clients.js';
import { CLIENT_KINDS } from '../contract/clients/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import { refreshSteps } from './refresh-steps.js';

const records = acts<ClientChangeRecords>('clients');
const sql = acts<SqlActivities>('clients');
const product = acts<ReversibleCommands>('clients');

/**
 * Carries new values to wherever the client has them. Every act reads them from the recorded change; the client's own
 * row has them last, so that whoever reads it meanwhile sees what is in force.
 */
export async function updateClient(input: OperationInput<UpdateClientParams>): Promise<void> {
  return runOperation(CLIENT_KINDS.update_client, input, async (op) => {
    const { clientId, fields } = op.params;
    const change = op.id;
    const thing = await op.check('find', {
      title: 'Look the client up',
      do: records.requireChangedThing({ clientId, change }),
    });
    const client = { ...thing, change };
    if (isCarriedTo('settings', fields)) {
      await op.step('settings', {
        title: 'Write cloud settings',
        target: thing.names.name,
        do: sql.changeCloudSettings({ ...client, keys: ['config', 'license', 'license_expires_at'] }),
        undo: sql.restoreCloudSettings(client),
      });
    }
    if (isCarriedTo('baseData', fields)) {
      await op.step('base-data', {
        title: 'Write base data',
        do: product.changeBaseData(client),
        undo: product.restoreBaseData(client),
        within: '10 minutes',
      });
    }
    const { dropFormer } = await refreshSteps(op, {
      client: thing,
      files: isCarriedTo('files', fields),
      vhost: isCarriedTo('vhost', fields),
    });
    await op.step('record', {
      title: 'Record the change',
      do: records.recordChange({ clientId, change }),
      undo: records.restoreRecord({ clientId, change }),
    });

    op.commit();
    await dropFormer();
  });
}
