import { jobKey, type StepContext } from '../../workflows/contract/step.js';
import { type Connections, nameOf, requireHostKey, type Server, targetOf } from '../connections.js';
import { type HostFacts, hostFacts } from '../servers/host-facts.js';
import type { JobOptions, JobResult, SshTarget } from '../ssh/types.js';
import { dockerFailure, isTransientExit } from './docker-errors.js';

export interface Host {
  server: Server;
  target: SshTarget;
  facts: HostFacts;
}

export type HostAccess = ReturnType<typeof createHostAccess>;

/** A host with Docker, and the detached commands of a step on it. */
export function createHostAccess(connections: Connections) {
  const { servers, ssh } = connections;
  return {
    async openHost(serverId: number, step: StepContext): Promise<Host> {
      const server = await servers.get(serverId);
      const facts = await hostFacts(connections, server, { signal: step.signal, needs: ['docker', 'compose'] });
      return { server, target: targetOf(requireHostKey(server)), facts };
    },

    /** A job of this step; a failing exit becomes the failure that its output speaks of. */
    async runJob(
      { server, target }: Host,
      step: StepContext,
      job: Pick<JobOptions, 'script' | 'input' | 'timeoutMs' | 'onEnd'>,
    ): Promise<JobResult> {
      if (step.try > 1) await ssh.endJobs(target, step, job.onEnd);
      const key = jobKey(step);
      const write = connections.output(step);
      const onOutput = (chunk: { offset: number; end: number; text: string }) => write({ job: key, ...chunk });
      const result = await ssh.runJob(target, { ...job, key, step, onOutput, transient: isTransientExit });
      if (result.exitCode === 0) return result;
      const what = `${step.title} on ${nameOf(server)}`;
      throw dockerFailure({ what, exitCode: result.exitCode, output: result.tail });
    },
  };
}
