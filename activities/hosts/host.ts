import { jobKey, type StepContext } from '../../workflows/contract/operation/step.js';
import { kindOf, REACTIONS } from '../../workflows/contract/operation/failures.js';
import { dockerFailure } from '../docker/docker-errors.js';
import type { Script } from '../ssh/shell.js';
import type { JobOptions, JobResult, RunOptions, RunResult, SshTarget } from '../ssh/types.js';
import { type HostConnections, nameOf, type Server, targetOf } from './connections.js';
import { type HostFacts, hostFacts, type Tool } from './host-facts.js';

/** A server that may be asked over SSH. */
export interface ReachedHost {
  server: Server;
  target: SshTarget;
}

/** With what it is known of its tools. */
export interface Host extends ReachedHost {
  facts: HostFacts;
}

/** The exit of a command: `what` says which, on which server; `output` is what it said last. */
export interface FailedExit {
  what: string;
  exitCode: number;
  output: string;
}

/** The failure that an exit means; undefined: what Docker's words speak of, or `CommandFailed`. */
export type FailureOfExit = (exit: FailedExit) => Error | undefined;

interface Telling {
  /** what is done, without the server; default: the step's title */
  what?: string;
  failed?: FailureOfExit;
}

export type HostJob = Telling & Pick<JobOptions, 'script' | 'input' | 'timeoutMs' | 'onEnd'>;

export interface HostScript extends Telling, Pick<RunOptions, 'input' | 'timeoutMs'> {
  /** exits beside 0 that are answers */
  answers?: readonly number[];
  /** its standard output speaks of a failure too */
  quotesAll?: boolean;
}

/** How activities work on one server; each failing exit becomes a failure here. */
export function createHosts(connections: HostConnections) {
  const { servers, ssh } = connections;

  const reach = async (serverId: number): Promise<ReachedHost> => {
    const server = await servers.get(serverId);
    return { server, target: targetOf(server) };
  };

  const runScript = async (
    { server, target }: ReachedHost,
    title: string,
    { script, options, ...how }: HostScript & { script: Script; options: RunOptions },
  ): Promise<RunResult> => {
    const { input, timeoutMs, answers = [], quotesAll = false } = how;
    const result = await ssh.run(target, script, {
      ...options,
      ...(input === undefined ? {} : { input }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    const { exitCode, stdout, stderr } = result;
    if (exitCode === 0 || answers.includes(exitCode)) return result;
    const output = quotesAll ? `${stdout}\n${stderr}` : stderr;
    throw failureOf(how, { what: `${how.what ?? title} on ${nameOf(server)}`, exitCode, output });
  };

  return {
    /** The server as its row says, without asking it anything. */
    reach,

    /** `CommandFailed` names what of `needs` is missing. */
    async open(
      serverId: number,
      { signal }: Pick<StepContext, 'signal'>,
      needs: readonly Tool[] = ['docker'],
    ): Promise<Host> {
      const host = await reach(serverId);
      return { ...host, facts: await hostFacts(connections, host.server, { signal, needs }) };
    },

    /**
     * A job of this step, started once however often it is looked for; an undo's own has a key of its own. One whose end
     * will be met by an automatic retry is closed, so that the retry runs it again instead of reading that end: of an
     * undo every bad one.
     */
    async runJob({ server, target }: ReachedHost, step: StepContext, job: HostJob): Promise<JobResult> {
      const { what = step.title, failed, ...options } = job;
      const undoing = step.phase === 'undo';
      // what the act or a former try has left running ends first
      if (undoing || step.try > 1) await ssh.endJobs(target, step, job.onEnd);
      const key = undoing ? `${jobKey(step)}-undo` : jobKey(step);
      const write = connections.output(step);
      const failureAt = ({ exitCode, tail: output }: JobResult) =>
        failureOf({ failed }, { what: `${what} on ${nameOf(server)}`, exitCode, output });
      const result = await ssh.runJob(target, {
        ...options,
        key,
        step,
        onOutput: (chunk) => write({ job: key, ...chunk }),
        transient: (end) => undoing || REACTIONS[kindOf(failureAt(end))].retried,
      });
      if (result.exitCode === 0) return result;
      throw failureAt(result);
    },

    /** Ends what the act of an undo, or former tries of a step, may still run on the host. */
    endJobs: ({ target }: ReachedHost, step: StepContext, onEnd?: Script): Promise<void> =>
      ssh.endJobs(target, step, onEnd),

    /** A short script behind the fence, attached: as an undo it must also work on a full disk. */
    run: (host: ReachedHost, step: StepContext, script: Script, how: HostScript = {}): Promise<RunResult> =>
      runScript(host, step.title, { ...how, script, options: { fence: step } }),

    /** A script that only looks, and so needs no fence. */
    look: (
      host: ReachedHost,
      { title, signal }: Pick<StepContext, 'title' | 'signal'>,
      script: Script,
      how: HostScript = {},
    ): Promise<RunResult> => runScript(host, title, { ...how, script, options: { signal } }),
  };
}

function failureOf({ failed }: { failed?: FailureOfExit | undefined }, exit: FailedExit): Error {
  return failed?.(exit) ?? dockerFailure(exit);
}
