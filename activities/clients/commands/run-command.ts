import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { effectKey, jobKey, type StepContext } from '../../../workflows/contract/operation/step.js';
import type { Connections } from '../connections.js';
import { nameOf, targetOf } from '../../hosts/connections.js';
import { CLIENT_SERVICE } from '../containers/compose-file.js';
import { composeCommand, removeFound } from '../containers/containers.js';
import { dockerFailure, isTransientExit } from '../../docker/docker-errors.js';
import { type HostFacts, hostFacts } from '../../hosts/host-facts.js';
import { type Script, sh } from '../../ssh/shell.js';
import { loadProfile, type ProductCommandName } from '../product/profile.js';

/** Milliseconds that a command may take which touches few rows. */
const COMMAND_TIMEOUT_MS = 9 * 60_000;

export interface ProductCommand {
  thing: ClientThing;
  step: StepContext;
  name: ProductCommandName;
  timeoutMs?: number;
  /** JSON for its standard input */
  data?: unknown;
}

/** Runs the product's own commands, each in a one-off container of the client's project that bears the job's key as its name. */
export function createProductCommands(connections: Connections) {
  const { servers, ssh } = connections;

  const open = async ({ thing: { names }, step, name }: ProductCommand) => {
    const server = await servers.get(names.serverId);
    const target = targetOf(server);
    const facts = await hostFacts(connections, server, { signal: step.signal, needs: ['docker', 'compose'] });
    const { run } = loadProfile(names.product).commands[name];
    return { target, facts, run, what: `${run.join(' ')} for ${names.name} on ${nameOf(server)}` };
  };

  return {
    /** The end of what the command printed. `CommandFailed` with it unless the command exits with 0. */
    async runCommand(command: ProductCommand): Promise<string> {
      const { thing, step, data, timeoutMs = COMMAND_TIMEOUT_MS } = command;
      const { target, facts, run, what } = await open(command);
      const key = jobKey(step);
      const onEnd = endScript(step, facts);
      if (step.try > 1) await ssh.endJobs(target, step, onEnd);
      const write = connections.output(step);
      const result = await ssh.runJob(target, {
        key,
        step,
        script: commandScript({ thing, step, facts, run, container: key }),
        input: inputOf(data),
        timeoutMs,
        onEnd,
        onOutput: (chunk) => write({ job: key, ...chunk }),
        transient: isTransientExit,
      });
      if (result.exitCode === 0) return result.tail;
      throw dockerFailure({ what, exitCode: result.exitCode, output: result.tail });
    },

    /** As an undo: attached, so that it writes nothing on the host; whatever its step has left running is ended first. */
    async runUndoCommand(command: ProductCommand): Promise<void> {
      const { thing, step, data, timeoutMs = COMMAND_TIMEOUT_MS } = command;
      const { target, facts, run, what } = await open(command);
      await ssh.endJobs(target, step, endScript(step, facts));
      const container = `${effectKey(step).toLowerCase()}-undo`;
      const script = commandScript({ thing, step, facts, run, container });
      const result = await ssh.run(target, script, { input: inputOf(data), fence: step, timeoutMs });
      if (result.exitCode === 0) return;
      throw dockerFailure({ what, exitCode: result.exitCode, output: result.stdout + result.stderr });
    },
  };
}

function inputOf(data: unknown): string {
  return data === undefined ? '' : JSON.stringify(data);
}

interface CommandScript {
  thing: ClientThing;
  step: StepContext;
  facts: HostFacts;
  run: readonly string[];
  container: string;
}

function commandScript({ thing, step, facts, run, container }: CommandScript): Script {
  return sh`
${endScript(step, facts)}
exec ${composeCommand(thing, facts)} run --rm -T --no-deps --name ${container} ${CLIENT_SERVICE} ${run}`;
}

/** Removes the containers of all tries of the step: one whose job has died would run beside its successor. */
function endScript(step: StepContext, { docker }: HostFacts): Script {
  return removeFound(docker, ['--filter', `name=^/?${effectKey(step).toLowerCase()}-([0-9]+|undo)$`]);
}
