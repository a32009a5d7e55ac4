import type { VersionRecords } from '../../activities/clients/records/version-records.js';
import type { MigrateClientParams } from '../contract/clients/clients.js';
import { CLIENT_KINDS } from '../contract/clients/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import { changeVersion } from './change-version.js';

const records = acts<VersionRecords>('clients');

/** The migrations of the client's present image, with the same care as a switch. */
export async function migrateClient(input: OperationInput<MigrateClientParams>): Promise<void> {
  return runOperation<MigrateClientParams, void>(CLIENT_KINDS.migrate_client, input, async (op) => {
    const { clientId } = op.params;
    const change = await op.check('find', {
      title: 'Look the client up',
      do: records.foreseeVersion({ clientId }),
    });
    await changeVersion(op, change);
  });
}
