import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { effectKey, jobKey, type StepContext } from '../../../workflows/contract/operation/step.js';
import type { Connections } from '../connections.js';
import { createClientHosts } from '../containers/client-hosts.js';
import { CLIENT_SERVICE } from '../containers/compose-file.js';
import { composeCommand, removeFound } from '../containers/containers.js';
import type { HostFacts } from '../../hosts/host-facts.js';
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
  const hosts = createClientHosts(connections);

  const prepare = async ({ thing, step, name, data, timeoutMs }: ProductCommand, container: string) => {
    const host = await hosts.open(thing.names.serverId, step);
    const { facts } = host;
    const { run } = loadProfile(thing.names.product).commands[name];
    return {
      host,
      script: commandScript({ thing, step, facts, run, container }),
      onEnd: endTries(step, facts),
      how: {
        what: `${run.join(' ')} for ${thing.names.name}`,
        input: data === undefined ? '' : JSON.stringify(data),
        timeoutMs: timeoutMs ?? COMMAND_TIMEOUT_MS,
      },
    };
  };

  return {
    /** The end of what the command printed. `CommandFailed` with it unless the command exits with 0. */
    async runCommand(command: ProductCommand): Promise<string> {
      const { step } = command;
      const { host, script, onEnd, how } = await prepare(command, jobKey(step));
      const { tail } = await hosts.runJob(host, step, { ...how, script, onEnd });
      return tail;
    },

    /** As an undo: attached, so that it writes nothing on the host; whatever its step has left running is ended first. */
    async runUndoCommand(command: ProductCommand): Promise<void> {
      const { step } = command;
      const { host, script, onEnd, how } = await prepare(command, `${effectKey(step).toLowerCase()}-undo`);
      await hosts.endJobs(host, step, onEnd);
      await hosts.run(host, step, script, { ...how, quotesAll: true });
    },
  };
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
${endTries(step, facts)}
exec ${composeCommand(thing, facts)} run --rm -T --no-deps --name ${container} ${CLIENT_SERVICE} ${run}`;
}

/** Removes the containers of all tries of the step: one whose job has died would run beside its successor. */
export function endTries(step: StepContext, { docker }: HostFacts): Script {
  return removeFound(docker, ['--filter', `name=^/?${effectKey(step).toLowerCase()}-([0-9]+|undo)$`]);
}
