import type { ReversibleCommands } from '../../activities/clients/commands/reversible.js';
import type { ClientChangeRecords } from '../../activities/clients/records/client-change-records.js';
import type { ClientRecords } from '../../activities/clients/records/client-records.js';
import type { SqlActivities } from '../../activities/clients/database/activities.js';
import type { SetMaintenanceParams } from '../contract/clients/clients.js';
import { CLIENT_KINDS } from '../contract/clients/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';

const records = acts<ClientRecords>('clients');
const changes = acts<ClientChangeRecords>('clients');
const sql = acts<SqlActivities>('clients');
const product = acts<ReversibleCommands>('clients');

/** The product's own maintenance page: by its settings, and by whatever else its command does. nginx serves on. */
export async function setMaintenance(input: OperationInput<SetMaintenanceParams>): Promise<void> {
  return runOperation(CLIENT_KINDS.set_maintenance, input, async (op) => {
    const { clientId, on } = op.params;
    const change = op.id;
    const set = { status: on ? ('maintenance' as const) : ('active' as const) };
    const thing = await op.check('find', {
      title: 'Look the client up',
      do: records.requireClientThing({ clientId }),
    });
    const { status } = await op.check('state', {
      title: 'Look at its state',
      do: changes.readClientState({ clientId }),
    });
    await op.step('settings', {
      title: 'Write cloud settings',
      target: thing.names.name,
      do: sql.changeCloudSettings({ ...thing, change, set, keys: ['maintenance'] }),
      undo: sql.restoreCloudSettings({ ...thing, change }),
    });
    const was = status === 'maintenance';
    await op.step('page', {
      title: on ? 'Show the maintenance page' : 'Take the maintenance page away',
      do: product.switchMaintenance({ ...thing, on }),
      ...(was === on ? {} : { undo: product.switchMaintenance({ ...thing, on: was }) }),
      within: '10 minutes',
    });
    await op.step('record', {
      title: 'Record the change',
      do: changes.recordChange({ clientId, change, set }),
      undo: changes.restoreRecord({ clientId, change }),
    });
    op.commit();
  });
}
