import type { ClientPlaceRecords } from '../../activities/clients/records/client-places.js';
import type { MoveActivities } from '../../activities/clients/moves/activities.js';
import type { RemoveKeptSourceParams } from '../contract/clients/clients.js';
import { subjectId } from '../contract/operation/ids.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import { requireId } from './params.js';
import { removeThing } from './remove-thing.js';

const places = acts<ClientPlaceRecords>();
const moves = acts<MoveActivities>();

const definition = {
  kind: 'remove_kept_source',
  subject: ({ clientId }: RemoveKeptSourceParams) => subjectId('client', clientId),
  title: ({ clientId, serverId }: RemoveKeptSourceParams) =>
    `Remove the former source of client ${clientId} from server ${serverId}`,
  attributes: ({ clientId, serverId }: RemoveKeptSourceParams) => ({
    ClientId: String(clientId),
    ServerId: String(serverId),
  }),
  admission: ({ serverId }: RemoveKeptSourceParams) => ({ servers: [serverId] }),
  tidy: ({ serverId }: RemoveKeptSourceParams, operation: string) =>
    moves.removeJobsOn({ servers: [serverId], operation }),
  validate({ clientId, serverId }: RemoveKeptSourceParams) {
    requireId('clientId', clientId);
    requireId('serverId', serverId);
  },
};

/** The stopped source of a move, once its time is over. Forward-only from its first effect, as a delete is. */
export async function removeKeptSource(input: OperationInput<RemoveKeptSourceParams>): Promise<void> {
  return runOperation(definition, input, async (op) => {
    const kept = await op.check('find', {
      title: 'Look the kept source up',
      do: places.findKeptSource(op.params),
    });

    op.commit();
    if (kept !== null) await removeThing(op, kept);
    await op.step('forget', { title: 'Free its port and network', do: places.forgetKeptSource(op.params) });
  });
}
