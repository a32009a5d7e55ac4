import type { ReversibleCommands } from '../../activities/clients/commands/reversible.js';
import type { ClientChangeRecords } from '../../activities/clients/records/client-change-records.js';
import type { ClientRecords } from '../../activities/clients/records/client-records.js';
import type { SetDemoParams } from '../contract/clients/clients.js';
import { CLIENT_KINDS } from '../contract/clients/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';

const records = acts<ClientRecords>('clients');
const changes = acts<ClientChangeRecords>('clients');
const product = acts<ReversibleCommands>('clients');

/** The product's demo seeder, or its inverse. Demo data that was there before stays when a repeated wish fails. */
export async function setDemo(input: OperationInput<SetDemoParams>): Promise<void> {
  return runOperation(CLIENT_KINDS.set_demo, input, async (op) => {
    const { clientId, enabled } = op.params;
    const change = op.id;
    const client = await op.check('find', {
      title: 'Look the client up',
      do: records.requireClientThing({ clientId }),
    });
    const { demo } = await op.check('state', {
      title: 'Look at its state',
      do: changes.readClientState({ clientId }),
    });
    await op.step('demo', {
      title: enabled ? 'Write demo data' : 'Remove demo data',
      do: product.switchDemo({ ...client, enabled }),
      ...(demo === enabled ? {} : { undo: product.switchDemo({ ...client, enabled: !enabled }) }),
      within: '10 minutes',
    });
    await op.step('record', {
      title: 'Record the change',
      do: changes.recordChange({ clientId, change, set: { demo: enabled } }),
      undo: changes.restoreRecord({ clientId, change }),
    });
    op.commit();
  });
}
