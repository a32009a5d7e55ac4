import type { LicenseRecords } from '../../activities/clients/licenses/license-records.js';
import type { ClientRecords } from '../../activities/clients/records/client-records.js';
import type { SqlActivities } from '../../activities/clients/database/activities.js';
import { subjectId } from '../contract/operation/ids.js';
import type { LockClientParams } from '../contract/clients/licenses.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import { requireId } from './params.js';

const records = acts<ClientRecords>();
const licenses = acts<LicenseRecords>();
const sql = acts<SqlActivities>();

const common = {
  subject: ({ clientId }: LockClientParams) => subjectId('client', clientId),
  attributes: ({ clientId, serverId }: LockClientParams) => ({
    ClientId: String(clientId),
    ServerId: String(serverId),
  }),
  admission: ({ serverId }: LockClientParams) => ({ servers: [serverId] }),
  validate({ clientId, serverId }: LockClientParams) {
    requireId('clientId', clientId);
    requireId('serverId', serverId);
  },
};

const locking = {
  ...common,
  kind: 'lock_client',
  title: ({ clientId }: LockClientParams) => `Lock client ${clientId}, whose licence has ended`,
};

const unlocking = {
  ...common,
  kind: 'unlock_client',
  title: ({ clientId }: LockClientParams) => `Unlock client ${clientId}, whose licence goes on`,
};

/**
 * The product locks itself by the end that stands in its settings; this makes sure that it stands there. The settings
 * are those of the client's row, so that there is nothing to undo.
 */
export async function lockClient(input: OperationInput<LockClientParams>): Promise<void> {
  return runOperation(locking, input, async (op) => {
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
  return runOperation(unlocking, input, async (op) => {
    const { clientId } = op.params;
    const client = await op.check('find', {
      title: 'Look the client up',
      do: records.requireClientThing({ clientId }),
    });
    await op.step('settings', { title: 'Write cloud settings', do: sql.writeCloudSettings(client) });
    await op.step('record', { title: 'Record as active', do: licenses.recordUnlocked({ clientId }) });
  });
}
