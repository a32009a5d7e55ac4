import type { StepContext } from '../../workflows/contract/operation/step.js';
import type { Connections } from '../clients/connections.js';
import { targetOf } from '../hosts/connections.js';

export type JobActivities = ReturnType<typeof createJobActivities>;

/** `docs/contract/operations.md`, Long remote commands. */
const JOBS_KEPT_DAYS = 7;

/** Whose operation it is: a client's, on the server that it lives on, or that of a server itself. */
type Place = { clientId: number; serverId?: never } | { serverId: number; clientId?: never };

export function createJobActivities({ clients, servers, ssh }: Connections) {
  const targetAt = async ({ clientId, serverId }: Place) => {
    const id = clientId === undefined ? serverId : (await clients.get(clientId)).serverId;
    return targetOf(await servers.get(id));
  };

  return {
    /** Job directories that nobody came back to; live ones stay. */
    async removeOldJobs({ serverId }: { serverId: number }): Promise<void> {
      const target = targetOf(await servers.get(serverId));
      await ssh.removeOldJobs(target, JOBS_KEPT_DAYS);
    },

    /** Removes what the detached commands of an operation left in `<base_dir>/slipway/jobs`; live ones stay. */
    async removeJobs({ servers: ids, operation }: { servers: number[]; operation: string }): Promise<void> {
      for (const id of ids) await ssh.removeJobs(targetOf(await servers.get(id)), operation);
    },

    /** Ends the detached commands of another operation, and waits until they are gone. */
    async endJobs({ operation, ...place }: Place & { operation: string }, step: StepContext): Promise<void> {
      await ssh.endJobsOf(await targetAt(place), operation, step);
    },
  };
}
