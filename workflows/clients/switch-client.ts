import type { VersionRecords } from '../../activities/clients/records/version-records.js';
import type { SwitchClientParams } from '../contract/clients/clients.js';
import { CLIENT_KINDS } from '../contract/clients/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import { changeVersion } from './change-version.js';

const records = acts<VersionRecords>('clients');

/** Another version of the product for one client; `docs/contract/clients.md`, Changing a client. */
export async function switchClient(input: OperationInput<SwitchClientParams>): Promise<void> {
  return runOperation<SwitchClientParams, void>(CLIENT_KINDS.switch_client, input, async (op) => {
    const { clientId, versionTag, force } = op.params;
    const change = await op.check('find', {
      title: 'Look the client up',
      do: records.foreseeVersion({ clientId, versionTag, force }),
    });
    await changeVersion(op, change);
  });
}
