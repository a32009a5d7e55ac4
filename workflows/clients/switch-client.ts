import type { VersionRecords } from '../../activities/clients/records/version-records.js';
import type { SwitchClientParams } from '../contract/clients/clients.js';
import { failure } from '../contract/operation/failures.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import { changeVersion, ofOneClient, requireParams } from './change-version.js';

const records = acts<VersionRecords>();

/** Docker's own rule for tags. */
const TAG = /^\w[\w.-]{0,127}$/;

const definition = {
  ...ofOneClient,
  kind: 'switch_client',
  title: ({ clientId, versionTag }: SwitchClientParams) => `Switch client ${clientId} to ${versionTag}`,
  validate(params: SwitchClientParams) {
    requireParams(params);
    const { versionTag, force } = params;
    if (typeof versionTag !== 'string' || !TAG.test(versionTag))
      throw failure('InvalidInput', '"versionTag" must be the tag of an image');
    if (typeof force !== 'boolean') throw failure('InvalidInput', '"force" must be true or false');
  },
};

/** Another version of the product for one client; `spec/clients-and-servers.md`, Changing a client. */
export async function switchClient(input: OperationInput<SwitchClientParams>): Promise<void> {
  return runOperation<SwitchClientParams, void>(definition, input, async (op) => {
    const { clientId, versionTag, force } = op.params;
    const change = await op.check('find', {
      title: 'Look the client up',
      do: records.foreseeVersion({ clientId, versionTag, force }),
    });
    await changeVersion(op, change);
  });
}
