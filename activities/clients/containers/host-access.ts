import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import { jobKey, type StepContext } from '../../../workflows/contract/operation/step.js';
import type { Connections } from '../connections.js';
import { nameOf, type Server, targetOf } from '../../hosts/connections.js';
import { type HostFacts, hostFacts } from '../../hosts/host-facts.js';
import { sh } from '../../ssh/shell.js';
import type { JobOptions, JobResult, SshTarget } from '../../ssh/types.js';
import { type ClientFilesInput, FOREIGN_EXIT } from './client-files.js';
import { dockerFailure, isTransientExit } from '../../docker/docker-errors.js';

export interface Host {
  server: Server;
  target: SshTarget;
  facts: HostFacts;
}

/** How activities reach a client's server and its Docker, and what a client's files are made of. */
export function createHostAccess(connections: Connections) {
  const { servers, secrets, ssh } = connections;

  return {
    /** `CommandFailed` where Docker or Compose are missing. */
    async openHost(serverId: number, step: StepContext): Promise<Host> {
      const server = await servers.get(serverId);
      const facts = await hostFacts(connections, server, {
        signal: step.signal,
        needs: ['docker', 'compose'],
      });
      return { server, target: targetOf(server), facts };
    },

    /** A job of this step; a failing exit becomes the failure that its output speaks of. */
    async runJob(
      { server, target }: Pick<Host, 'server' | 'target'>,
      step: StepContext,
      job: Pick<JobOptions, 'script' | 'input' | 'timeoutMs' | 'onEnd'>,
    ): Promise<JobResult> {
      const undoing = step.phase === 'undo';
      // what the act has left running ends first; an undo's own job has a key of its own, and is found again
      if (undoing || step.try > 1) await ssh.endJobs(target, step, job.onEnd);
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

    /** Text of the product's current `.env.example`; `CommandFailed` where no code was brought to the server yet. */
    async readExample(
      { server, target }: Pick<Host, 'server' | 'target'>,
      path: string,
      { signal }: StepContext,
    ): Promise<string> {
      const file = `${server.baseDir}/${path}`;
      const { exitCode, stdout, stderr } = await ssh.run(target, sh`cat -- ${file}`, { signal });
      if (exitCode === 0) return stdout;
      throw failure('CommandFailed', `${file} on ${nameOf(server)} cannot be read: ${stderr.trim()}`, {
        hint: "bring the product's code to the server (a build does), then retry",
      });
    },

    async revealAll(ids: ClientThing['names']['secrets']): Promise<ClientFilesInput['secrets']> {
      const [databasePassword, clientToken, applicationKey] = await Promise.all(
        [ids.databasePassword, ids.clientToken, ids.applicationKey].map((id) => secrets.reveal(id)),
      );
      return { databasePassword, clientToken, applicationKey } as ClientFilesInput['secrets'];
    },
  };
}
