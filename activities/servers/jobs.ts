import type { HostConnections } from '../hosts/connections.js';
import { targetOf } from '../hosts/connections.js';
import type { PlaceKeeper } from '../operation/places.js';

export type JobActivities = ReturnType<typeof createJobActivities>;

/** `docs/contract/operations.md`, Long remote commands. */
const JOBS_KEPT_DAYS = 7;

type Ports = Pick<HostConnections, 'servers' | 'ssh'>;

export function createJobActivities({ servers, ssh }: Ports) {
  return {
    /** Job directories that nobody came back to; live ones stay. */
    async removeOldJobs({ serverId }: { serverId: number }): Promise<void> {
      await ssh.removeOldJobs(targetOf(await servers.get(serverId)), JOBS_KEPT_DAYS);
    },
  };
}

/** Servers as places: jobs lie in `<base_dir>/slipway/jobs`. */
export function createServerKeeper({ servers, ssh }: Ports): PlaceKeeper {
  const target = async (id: string) => targetOf(await servers.get(Number(id)));
  return {
    tidy: async (id, operation) => ssh.removeJobs(await target(id), operation),
    endJobs: async (id, operation, step) => ssh.endJobsOf(await target(id), operation, step),
  };
}
