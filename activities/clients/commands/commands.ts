import { randomBytes } from 'node:crypto';
import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { type Client, type Connections, revealIfKept } from '../connections.js';
import { createProductCommands } from './run-command.js';

export type ProductActivities = ReturnType<typeof createProductActivities>;

/** Milliseconds: migrations of a large client's tables run long. */
const MIGRATE_TIMEOUT_MS = 2 * 3_600_000;

/** The product's own commands, each in a one-off container of the client's project that bears the job's key as its name. */
export function createProductActivities(connections: Connections) {
  const { clients, secrets } = connections;

  const { runCommand } = createProductCommands(connections);

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
      return readCount(output, thing.names.name);
    },
  };
}

/** The number on the last line of what the product's `countUsers` prints; `CommandFailed` when it is none. */
export function readCount(output: string, name: string): number {
  const number = /^(\d{1,9})\s*$/.exec(output.trim().split('\n').at(-1) ?? '')?.[1];
  if (number !== undefined) return Number(number);
  throw failure('CommandFailed', `the product's count of users of ${name} is not a number: ${output}`);
}

/** Field names are those of the panel's form (`docs/contract/clients.md`, Creating a client). */
export function baseData(client: Client, password?: string) {
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
