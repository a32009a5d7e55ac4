import type { FleetRecords } from '../../activities/servers/fleet.js';
import type { ImageActivities } from '../../activities/servers/images.js';
import type { FanOutResult } from '../contract/operation/fan-out.js';
import type { SwitchAllParams } from '../contract/servers/fleet.js';
import { CLIENT_KINDS } from '../contract/clients/kinds.js';
import { SERVER_KINDS } from '../contract/servers/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { rulesOf } from '../contract/servers/rules.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';

const fleet = acts<FleetRecords>('servers');
const images = acts<ImageActivities>('servers');

/** Every client of a server that has another version is switched, some at a time; each rolls back by itself. */
export async function switchAll(input: OperationInput<SwitchAllParams>): Promise<FanOutResult> {
  return runOperation(SERVER_KINDS.switch_all, input, async (op) => {
    const { image, rules, ...wish } = op.params;
    const { serverId, versionTag } = wish;
    await op.check('image', {
      title: 'Look for the version on the server',
      do: images.requireVersion({ serverId, versionTag, ...(image === undefined ? {} : { image }) }),
    });
    return op.fanOut('clients', {
      title: `Switch to ${versionTag}`,
      list: fleet.listClientsToSwitch({ ...wish, canary: rulesOf(rules).canary }),
      of: CLIENT_KINDS.switch_client,
      rules: rulesOf(rules),
    });
  });
}
