import type { VersionRecords } from '../../activities/clients/records/version-records.js';
import type { MigrateClientParams } from '../contract/clients/clients.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import { changeVersion, ofOneClient, requireParams } from './change-version.js';

const records = acts<VersionRecords>();

const definition = {
  ...ofOneClient,
  kind: 'migrate_client',
  title: ({ clientId }: MigrateClientParams) => `Migrate client ${clientId}`,
  validate: requireParams,
};

/** The migrations of the client's present image, with the same care as a switch. */
export async function migrateClient(input: OperationInput<MigrateClientParams>): Promise<void> {
  return runOperation<MigrateClientParams, void>(definition, input, async (op) => {
    const { clientId } = op.params;
    const change = await op.check('find', {
      title: 'Look the client up',
      do: records.foreseeVersion({ clientId }),
    });
    await changeVersion(op, change);
  });
}
