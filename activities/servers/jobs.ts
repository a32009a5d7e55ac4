import type { StepContext } from '../../workflows/contract/step.js';
import { type Connections, requireHostKey, targetOf } from '../connections.js';

export type JobActivities = ReturnType<typeof createJobActivities>;

/** `spec/operations.md`, Long remote commands. */
const JOBS_KEPT_DAYS = 7;

export function createJobActivities({ clients, servers, ssh }: Connections) {
  return {
    /** Job directories that nobody came back to; live ones stay. */
    async removeOldJobs({ serverId }: { serverId: number }): Promise<void> {
      const target = targetOf(requireHostKey(await servers.get(serverId)));
      await ssh.removeOldJobs(target, JOBS_KEPT_DAYS);
    },

    /** Removes what the detached commands of a client's operation left in `<base_dir>/slipway/jobs`; live ones stay. */
    async removeJobs({ clientId, operation }: { clientId: number; operation: string }): Promise<void> {
      const { serverId } = await clients.get(clientId);
      await ssh.removeJobs(targetOf(requireHostKey(await servers.get(serverId))), operation);
    },

    /** Ends the detached commands of another operation of a client's, and waits until they are gone. */
    async endJobs(
      { clientId, operation }: { clientId: number; operation: string },
      step: StepContext,
    ): Promise<void> {
      const { serverId } = await clients.get(clientId);
      await ssh.endJobsOf(targetOf(requireHostKey(await servers.get(serverId))), operation, step);
    },
  };
}
