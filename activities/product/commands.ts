import { randomBytes } from 'node:crypto';
import type { ClientThing } from '../../workflows/contract/clients.js';
import { failure } from '../../workflows/contract/failures.js';
import { effectKey, jobKey, type StepContext } from '../../workflows/contract/step.js';
import {
  type Client,
  type Connections,
  nameOf,
  requireHostKey,
  revealIfKept,
  targetOf,
} from '../connections.js';
import { CLIENT_SERVICE } from '../docker/compose-file.js';
import { composeCommand, removeFound } from '../docker/containers.js';
import { dockerFailure, isTransientExit } from '../docker/docker-errors.js';
import { type HostFacts, hostFacts } from '../servers/host-facts.js';
import { type Script, sh } from '../ssh/shell.js';
import { loadProfile, type ProductCommandName } from './profile.js';

export type ProductActivities = ReturnType<typeof createProductActivities>;

/** Milliseconds that a command may take: migrations of a large client's tables run long, the others touch few rows. */
const MIGRATE_TIMEOUT_MS = 2 * 3_600_000;
const COMMAND_TIMEOUT_MS = 9 * 60_000;

interface Command {
  thing: ClientThing;
  step: StepContext;
  name: ProductCommandName;
  timeoutMs?: number;
  /** JSON for its standard input */
  data?: unknown;
}

/** The product's own commands, each in a one-off container of the client's project that bears the job's key as its name. */
export function createProductActivities(connections: Connections) {
  const { servers, clients, secrets, ssh } = connections;

  /** The end of what the command printed. `CommandFailed` with it unless the command exits with 0. */
  const runCommand = async ({
    thing,
    step,
    name,
    data,
    timeoutMs = COMMAND_TIMEOUT_MS,
  }: Command): Promise<string> => {
    const { names } = thing;
    const server = await servers.get(names.serverId);
    const target = targetOf(requireHostKey(server));
    const facts = await hostFacts(connections, server, { signal: step.signal, needs: ['docker', 'compose'] });
    const { run } = loadProfile(names.product).commands[name];
    const key = jobKey(step);
    const onEnd = endScript(step, facts);
    if (step.try > 1) await ssh.endJobs(target, step, onEnd);
    const write = connections.output(step);
    const result = await ssh.runJob(target, {
      key,
      step,
      script: commandScript({ thing, step, facts, run }),
      input: data === undefined ? '' : JSON.stringify(data),
      timeoutMs,
      onEnd,
      onOutput: (chunk) => write({ job: key, ...chunk }),
      transient: isTransientExit,
    });
    if (result.exitCode === 0) return result.tail;
    const what = `${run.join(' ')} for ${names.name} on ${nameOf(server)}`;
    throw dockerFailure({ what, exitCode: result.exitCode, output: result.tail });
  };

  return {
    migrateClient: async (thing: ClientThing, step: StepContext): Promise<void> => {
      await runCommand({ thing, step, name: 'migrate', timeoutMs: MIGRATE_TIMEOUT_MS });
    },

    /** Laboratory and administrator, created or brought up to date; the product hashes the password itself. */
    createBaseData: async (thing: ClientThing, step: StepContext): Promise<void> => {
      const client = await clients.get(thing.names.clientId);
      const password = await revealIfKept(secrets, client.adminPassword);
      await runCommand({ thing, step, name: 'createAdministrator', data: baseData(client, password) });
    },

    /** A copy is made harmless before anybody sees it. */
    sanitizeCopy: async (thing: ClientThing, step: StepContext): Promise<void> => {
      await runCommand({ thing, step, name: 'sanitize' });
    },

    /** The client's own laboratory and administrator in data of another one. A password that is known no more becomes one that nobody knows. */
    createOwnBaseData: async (thing: ClientThing, step: StepContext): Promise<void> => {
      const client = await clients.get(thing.names.clientId);
      const kept = await revealIfKept(secrets, client.adminPassword);
      const password = kept ?? randomBytes(24).toString('base64url');
      await runCommand({ thing, step, name: 'createAdministrator', data: baseData(client, password) });
      if (kept === undefined) step.summarize('the password of the administrator is new: set one');
    },

    /** `password`: id of a secret. One that has been erased meanwhile was set before: what is there stays. */
    setAdminPassword: async (
      { names, operation, password: secret }: ClientThing & { password: string },
      step: StepContext,
    ): Promise<void> => {
      const password = await revealIfKept(secrets, secret);
      if (password === undefined)
        return step.summarize('the password has been erased, the present one stays');
      const { adminLogin } = await clients.get(names.clientId);
      const data = { admin_login: adminLogin, password };
      await runCommand({ thing: { names, operation }, step, name: 'setPassword', data });
    },

    /** Number of the client's users, as the product counts them. */
    countUsers: async (thing: ClientThing, step: StepContext): Promise<number> => {
      const output = await runCommand({ thing, step, name: 'countUsers' });
      const number = /^(\d{1,15})\s*$/m.exec(output.trim().split('\n').at(-1) ?? '')?.[1];
      if (number !== undefined) return Number(number);
      throw failure(
        'CommandFailed',
        `the product's count of users of ${thing.names.name} is not a number: ${output}`,
      );
    },
  };
}

/** Field names are those of the panel's form (source: Alfa Cloud). */
function baseData(client: Client, password: string | undefined) {
  return {
    name: client.name,
    short_name: client.shortName,
    admin_f: client.adminF,
    admin_i: client.adminI,
    admin_o: client.adminO,
    admin_login: client.adminLogin,
    email: client.email,
    license_expires_at: client.licenseExpiresAt?.toISOString() ?? null,
    ...(password === undefined ? {} : { password }),
  };
}

interface CommandScript {
  thing: ClientThing;
  step: StepContext;
  facts: HostFacts;
  run: readonly string[];
}

function commandScript({ thing, step, facts, run }: CommandScript): Script {
  return sh`
${endScript(step, facts)}
exec ${composeCommand(thing, facts)} run --rm -T --no-deps --name ${jobKey(step)} ${CLIENT_SERVICE} ${run}`;
}

/** Removes the containers of all tries of the step: one whose job has died would run beside its successor. */
function endScript(step: StepContext, { docker }: HostFacts): Script {
  return removeFound(docker, ['--filter', `name=^/?${effectKey(step).toLowerCase()}-[0-9]+$`]);
}
