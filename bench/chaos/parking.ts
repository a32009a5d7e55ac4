import type { LabHost } from '../../lab/host.js';
import { pollUntil } from '../../process/poll.js';
import { getPage } from '../../test/support/neighbour.js';

/** Docker and nginx of the host come back within seconds. */
const DEADLINE_MS = 60_000;

/**
 * Stops a finished client's container, once its page was seen through nginx: two cores cannot run two hundred with
 * their health checks. Nothing else of it is touched. Answers whether the page came.
 */
export async function park(
  host: LabHost,
  { name, hostname }: { name: string; hostname: string },
): Promise<boolean> {
  const served = await within('page', async () => {
    const { status } = await getPage({ address: host.address, hostname, path: '/health' });
    return status === 200 ? true : undefined;
  });
  const stopped = await within('stop', async () => {
    // a stopped one that is always restarted comes back with Docker
    await host.exec(`docker update --restart no -- ${name} && docker stop --time 0 -- ${name}`);
    return true;
  });
  return served && stopped;
}

function within(what: string, probe: () => Promise<true | undefined>): Promise<boolean> {
  return pollUntil({ what, deadlineMs: DEADLINE_MS, everyMs: 500, probe }).catch(() => false);
}
