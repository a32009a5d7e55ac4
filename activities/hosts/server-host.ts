import { jobKey, type StepContext } from '../../workflows/contract/operation/step.js';
import { nameOf, type Server, targetOf, type HostConnections } from './connections.js';
import { dockerFailure, isTransientExit } from '../docker/docker-errors.js';
import type { Script } from '../ssh/shell.js';
import type { JobOptions, JobResult, SshTarget } from '../ssh/types.js';
import { type HostFacts, hostFacts } from './host-facts.js';

export interface ServerHost {
  server: Server;
  target: SshTarget;
  facts: HostFacts;
}

type Failed = (told: { what: string; exitCode: number; output: string }) => Error;

interface ServerJob extends Pick<JobOptions, 'script' | 'input' | 'timeoutMs'> {
  /** what a failing exit becomes; default: what Docker's words speak of */
  failed?: Failed;
  transient?: (result: JobResult) => boolean;
}

/** One server as a whole, for acts of operations on it. */
export function createServerHosts(connections: HostConnections) {
  const { servers, ssh } = connections;
  return {
    async open(
      serverId: number,
      { signal }: Pick<StepContext, 'signal'>,
      needs: readonly 'docker'[] = ['docker'],
    ) {
      const server = await servers.get(serverId);
      const facts = await hostFacts(connections, server, { signal, needs });
      return { server, target: targetOf(server), facts } satisfies ServerHost;
    },

    /** A job of this step; a failing exit becomes the failure that its output speaks of. */
    async runJob({ server, target }: ServerHost, step: StepContext, job: ServerJob): Promise<JobResult> {
      const { failed = dockerFailure, transient = isTransientExit, ...options } = job;
      if (step.try > 1) await ssh.endJobs(target, step);
      const key = jobKey(step);
      const write = connections.output(step);
      const onOutput = (chunk: { offset: number; end: number; text: string }) =>
        write({ job: key, ...chunk });
      const result = await ssh.runJob(target, { ...options, key, step, onOutput, transient });
      if (result.exitCode === 0) return result;
      const what = `${step.title} on ${nameOf(server)}`;
      throw failed({ what, exitCode: result.exitCode, output: result.tail });
    },

    /** A short script behind the fence; an undo first ends what its act may still run. */
    async run(
      { server, target }: ServerHost,
      step: StepContext,
      script: Script,
      { timeoutMs, failed = dockerFailure }: { timeoutMs?: number; failed?: Failed } = {},
    ): Promise<string> {
      if (step.phase === 'undo') await ssh.endJobs(target, step);
      const options = { fence: step, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
      const result = await ssh.run(target, script, options);
      if (result.exitCode === 0) return result.stdout;
      const what = `${step.title} on ${nameOf(server)}`;
      throw failed({ what, exitCode: result.exitCode, output: result.stderr });
    },

    /** A script that only looks. */
    async look({ server, target }: ServerHost, step: StepContext, script: Script): Promise<string> {
      const result = await ssh.run(target, script, { signal: step.signal });
      if (result.exitCode === 0) return result.stdout;
      const what = `${step.title} on ${nameOf(server)}`;
      throw dockerFailure({ what, exitCode: result.exitCode, output: result.stderr });
    },
  };
}
