import type { FleetRecords } from '../../activities/servers/fleet.js';
import type { RefreshResult, ServerFanOutParams } from '../contract/servers/fleet.js';
import { CLIENT_KINDS } from '../contract/clients/kinds.js';
import { rulesOf } from '../contract/servers/rules.js';
import { acts } from '../operation/acts.js';
import type { Operation } from '../operation/story.js';

const fleet = acts<FleetRecords>('servers');

/** Configurations of all clients of a server, some at a time; the result counts those that were restarted. */
export async function refreshClients(op: Operation<ServerFanOutParams>): Promise<RefreshResult> {
  const { serverId, rules } = op.params;
  const result = await op.fanOut('clients', {
    title: 'Refresh configurations',
    list: fleet.listClientsToRefresh({ serverId }),
    of: CLIENT_KINDS.refresh_client,
    rules: rulesOf(rules),
  });
  const { changed } = await op.step('count', {
    title: 'Count what changed',
    do: fleet.countChanged({}),
    planned: { changed: 0 },
  });
  return { ...result, changed };
}
