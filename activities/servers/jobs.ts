import { type Connections, requireHostKey, targetOf } from '../connections.js';

export type JobActivities = ReturnType<typeof createJobActivities>;

export function createJobActivities({ clients, servers, ssh }: Connections) {
  return {
    /** Removes what the detached commands of a client's operation left in `<base_dir>/slipway/jobs`; live ones stay. */
    async removeJobs({ clientId, operation }: { clientId: number; operation: string }): Promise<void> {
      const { serverId } = await clients.get(clientId);
      await ssh.removeJobs(targetOf(requireHostKey(await servers.get(serverId))), operation);
    },
  };
}
