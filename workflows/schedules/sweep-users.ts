import { ActivityFailure } from '@temporalio/workflow';
import { activitiesOf } from '../operation/acts.js';
import type { Counted, UserCountActivities } from '../../activities/clients/monitoring/user-counts.js';
import type { ActiveServers } from '../../activities/servers/active-servers.js';
import { inLanes } from './start-operation.js';

/** Two SSH channels each. */
const SERVERS_AT_ONCE = 10;

/** Once a day: how many users every client has. What cannot be counted keeps its number of yesterday. */
export async function sweepUsers(): Promise<Counted> {
  const { listActiveServers } = activitiesOf<ActiveServers>('servers', {
    startToCloseTimeout: '1 minute',
    retry: { maximumAttempts: 10 },
  });
  const { countUsersOn } = activitiesOf<UserCountActivities>('clients', {
    // some seconds for each of a server's clients, two at once
    startToCloseTimeout: '2 hours',
    // one beat per client, which has 80 s
    heartbeatTimeout: '3 minutes',
    // tomorrow is another day
    retry: { maximumAttempts: 1 },
  });
  const total: Counted = { counted: 0, failed: 0 };
  await inLanes(await listActiveServers(), SERVERS_AT_ONCE, async (serverId) => {
    try {
      const { counted, failed } = await countUsersOn({ serverId });
      total.counted += counted;
      total.failed += failed;
    } catch (thrown) {
      if (!(thrown instanceof ActivityFailure)) throw thrown;
      total.failed += 1;
    }
  });
  return total;
}
