import type { ClientPlaceRecords } from '../../activities/clients/records/client-places.js';
import type { RemoveKeptSourceParams } from '../contract/clients/clients.js';
import { CLIENT_KINDS } from '../contract/clients/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import { removeThing } from './remove-thing.js';

const places = acts<ClientPlaceRecords>('clients');

/** The stopped source of a move, once its time is over. Forward-only from its first effect, as a delete is. */
export async function removeKeptSource(input: OperationInput<RemoveKeptSourceParams>): Promise<void> {
  return runOperation(CLIENT_KINDS.remove_kept_source, input, async (op) => {
    const kept = await op.check('find', {
      title: 'Look the kept source up',
      do: places.findKeptSource(op.params),
    });

    op.commit();
    if (kept !== null) await removeThing(op, kept);
    await op.step('forget', { title: 'Free its port and network', do: places.forgetKeptSource(op.params) });
  });
}
