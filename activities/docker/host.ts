import { failure } from '../../workflows/contract/failures.js';
import { jobKey, type StepContext } from '../../workflows/contract/step.js';
import { type Connections, nameOf, requireHostKey, type Server, targetOf } from '../connections.js';
import { type HostFacts, hostFacts } from '../servers/host-facts.js';
import type { JobOptions, SshTarget } from '../ssh/types.js';
import { FOREIGN_EXIT } from './client-files.js';
import { dockerFailure, isTransientExit } from './docker-errors.js';

export interface Host {
  server: Server;
  target: SshTarget;
  facts: HostFacts;
}

/** How activities reach a client's server and its Docker. */
export function createHostAccess(connections: Connections) {
  const { servers, ssh } = connections;

  return {
    /** `CommandFailed` where Docker or Compose are missing. */
    async openHost(serverId: number, step: StepContext): Promise<Host> {
      const server = await servers.get(serverId);
      const facts = await hostFacts(connections, server, {
        signal: step.signal,
        needs: ['docker', 'compose'],
      });
      return { server, target: targetOf(requireHostKey(server)), facts };
    },

    /** A job of this step; a failing exit becomes the failure that its output speaks of. */
    async runJob(
      { server, target }: Pick<Host, 'server' | 'target'>,
      step: StepContext,
      job: Pick<JobOptions, 'script' | 'input' | 'timeoutMs'>,
    ) {
      const undoing = step.phase === 'undo';
      // what the act has left running ends first; an undo's own job has a key of its own, and is found again
      if (undoing || step.try > 1) await ssh.endJobs(target, step);
      const key = undoing ? `${jobKey(step)}-undo` : jobKey(step);
      const write = connections.output(step);
      const onOutput = (chunk: { offset: number; end: number; text: string }) =>
        write({ job: key, ...chunk });
      const result = await ssh.runJob(target, { ...job, key, step, onOutput, transient: isTransientExit });
      if (result.exitCode === 0) return result;
      const what = `${step.title} on ${nameOf(server)}`;
      if (result.exitCode === FOREIGN_EXIT) throw failure('Conflict', `${what}: ${result.tail.trim()}`);
      throw dockerFailure({ what, exitCode: result.exitCode, output: result.tail });
    },
  };
}
