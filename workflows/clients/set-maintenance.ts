import type { ProductChangeActivities } from '../../activities/clients/commands/changes.js';
import type { ClientChangeRecords } from '../../activities/clients/records/client-change-records.js';
import type { ClientRecords } from '../../activities/clients/records/client-records.js';
import type { SqlActivities } from '../../activities/clients/database/activities.js';
import type { SetMaintenanceParams } from '../contract/clients/clients.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import { clientDefinition } from './client-definition.js';
import { requireFlag } from './params.js';

const records = acts<ClientRecords>();
const changes = acts<ClientChangeRecords>();
const sql = acts<SqlActivities>();
const product = acts<ProductChangeActivities>();

const definition = clientDefinition<SetMaintenanceParams>({
  kind: 'set_maintenance',
  title: ({ clientId, on }) => `Turn the maintenance page of client ${clientId} ${on ? 'on' : 'off'}`,
  validate: ({ on }) => requireFlag('on', on),
});

/** The product's own maintenance page: by its settings, and by whatever else its command does. nginx serves on. */
export async function setMaintenance(input: OperationInput<SetMaintenanceParams>): Promise<void> {
  return runOperation(definition, input, async (op) => {
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
