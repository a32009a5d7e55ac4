import type { FleetRecords } from '../../activities/servers/fleet.js';
import type { ImageActivities } from '../../activities/servers/images.js';
import { failure } from '../contract/operation/failures.js';
import type { FanOutResult } from '../contract/operation/fan-out.js';
import type { SwitchAllParams } from '../contract/servers/fleet.js';
import { subjectId } from '../contract/operation/ids.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { requireId } from '../clients/params.js';
import { rulesOf } from '../fleet/rules.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';

const fleet = acts<FleetRecords>();
const images = acts<ImageActivities>();

/** Docker's own rule for tags. */
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

const definition = {
  kind: 'switch_all',
  subject: ({ serverId }: SwitchAllParams) => subjectId('server', serverId),
  title: ({ serverId, versionTag }: SwitchAllParams) =>
    `Switch all clients of server ${serverId} to ${versionTag}`,
  attributes: ({ serverId }: SwitchAllParams) => ({ ServerId: String(serverId) }),
  validate({ serverId, versionTag, force, rules }: SwitchAllParams) {
    requireId('serverId', serverId);
    if (typeof versionTag !== 'string' || !TAG.test(versionTag))
      throw failure('InvalidInput', '"versionTag" must be a version tag such as 1.4-master');
    if (typeof force !== 'boolean') throw failure('InvalidInput', '"force" must be true or false');
    rulesOf(rules);
  },
};

/** Every client of a server that has another version is switched, some at a time; each rolls back by itself. */
export async function switchAll(input: OperationInput<SwitchAllParams>): Promise<FanOutResult> {
  return runOperation(definition, input, async (op) => {
    const { serverId, versionTag, image, force, rules } = op.params;
    await op.check('image', {
      title: 'Look for the version on the server',
      do: images.requireVersion({ serverId, versionTag, ...(image === undefined ? {} : { image }) }),
    });
    return op.fanOut('clients', {
      title: `Switch to ${versionTag}`,
      list: fleet.listClientsToSwitch({ serverId, versionTag, force }),
      workflow: 'switchClient',
      kind: 'switch_client',
      rules: rulesOf(rules),
    });
  });
}
