import type { ChangeRef } from '../../../workflows/contract/clients/client-change.js';
import type { ClientNames, ClientThing } from '../../../workflows/contract/clients/clients.js';
import { dataOf } from '../../../workflows/contract/clients/databases.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { changedClient, type Client, type Connections } from '../connections.js';
import { nameOf, type Server } from '../../hosts/connections.js';
import { lockTime } from '../licenses/reminder-plan.js';
import type { CloudSettings, SqlSession } from '../../sql/engine.js';
import { type SqlConnections, withSession } from './session.js';

export type SqlActivities = ReturnType<typeof createSqlActivities>;

/** Enough to see what they have in common. */
const NAMED = 10;

/** A client's database and user on its server's SQL engine, over the backend's remote login. */
export function createSqlActivities(
  connections: SqlConnections & Pick<Connections, 'clients' | 'changes' | 'graceDays'>,
) {
  const { clients, changes, secrets, graceDays = 0 } = connections;
  const within = <Result>(
    names: ClientNames,
    step: StepContext,
    act: (session: SqlSession, server: Server) => Promise<Result>,
  ): Promise<Result> => withSession(connections, names, step, act);

  return {
    /** Changes nothing. `Conflict` names the database or user of that name that this operation has not made. */
    surveyDatabase: ({ names, operation }: ClientThing, step: StepContext): Promise<void> =>
      within(names, step, async (session, server) => {
        const foreign = await session.survey({ name: names.name, operation });
        if (foreign.length === 0) return;
        throw failure('Conflict', `on ${nameOf(server)} there is already ${foreign.join(', ')}`, {
          hint: 'remove or rename it if nobody needs it, then create the client again',
        });
      }),

    /**
     * Database and user `names.name`, marked, the user limited to the client's network
     * (`docs/contract/operations.md`, Steps 3).
     */
    ensureDatabase: async ({ names, operation }: ClientThing, step: StepContext): Promise<void> => {
      const password = await secrets.reveal(names.secrets.databasePassword);
      const { name, subnet } = names;
      await within(names, step, (session) => session.ensure({ name, operation, subnet, password }));
      step.summarize(`database and user ${name}`);
    },

    /** Undo of `ensureDatabase`: succeeds when there is nothing, leaves what bears no mark of the operation. */
    removeDatabase: ({ names, operation }: ClientThing, step: StepContext): Promise<void> =>
      within(names, step, async (session) => {
        await session.remove({ name: names.name, operation });
      }),

    /** For deleting a client: `operation` is the one that created it. `Conflict` when another has put its own there. */
    dropDatabase: ({ names, operation }: ClientThing, step: StepContext): Promise<void> =>
      within(names, step, async (session, server) => {
        if ((await session.remove({ name: names.name, operation })) !== 'foreign') return;
        throw failure(
          'Conflict',
          `database ${names.name} on ${nameOf(server)} was not made for this client`,
          {
            hint: 'look whose it is; skip this step to leave it',
          },
        );
      }),

    /** Only the flag that shows the product's maintenance page. */
    writeMaintenance: ({ names, on }: ClientThing & { on: boolean }, step: StepContext): Promise<void> =>
      within(names, step, (session) => {
        const flag = { maintenance: on ? '1' : '0' };
        return session.writeCloudSettings(dataOf(names), { mine: flag, first: flag });
      }),

    /** Changes nothing. Names what a backup could not bring back, with what to do: then nothing may be changed. */
    checkRestorable: ({ names }: ClientThing, step: StepContext): Promise<void> =>
      within(names, step, async (session, server) => {
        const data = dataOf(names);
        const [first] = (await session.unrestorable(data)).filter(({ objects }) => objects.length > 0);
        if (first === undefined) return;
        const { kind, objects, cause, hint } = first;
        const more = objects.length > NAMED ? ` and ${objects.length - NAMED} more` : '';
        const named = `${objects.slice(0, NAMED).join(', ')}${more}`;
        throw failure(kind, `of database ${data.database} on ${nameOf(server)}: ${named}: ${cause}`, {
          hint,
        });
      }),

    /** `version`: a tag such as `1.4-master`, for the product's own pages and for what it offers next. */
    recordVersion: (
      { names, version }: ClientThing & { version: string },
      step: StepContext,
    ): Promise<void> => within(names, step, (session) => session.recordVersion(dataOf(names), version)),

    /**
     * What the product reads of its client: maintenance, licence, version, configuration
     * (`docs/contract/clients.md`, Creating a client).
     */
    writeCloudSettings: async ({ names }: ClientThing, step: StepContext): Promise<void> => {
      const client = await clients.get(names.clientId);
      await within(names, step, (session) =>
        session.writeCloudSettings(dataOf(names), cloudSettingsOf(client, graceDays)),
      );
    },

    /** Some of these settings as the operation `change` will have them; what was there before is kept first. */
    changeCloudSettings: async (
      { names, keys, ...ref }: ClientThing & ChangeRef & { keys: CloudSettingName[] },
      step: StepContext,
    ): Promise<void> => {
      const { clientId } = names;
      const { mine } = cloudSettingsOf(await changedClient({ clients, changes }, clientId, ref), graceDays);
      const wanted = Object.fromEntries(keys.map((key) => [key, mine[key]]));
      await within(names, step, async (session) => {
        const former = await session.readCloudSettings(dataOf(names), keys);
        await changes.keepSettings({ change: ref.change, clientId, former });
        await session.writeCloudSettings(dataOf(names), { mine: wanted, first: {} });
      });
    },

    /** Undo of `changeCloudSettings`: nothing kept means that it has never written. */
    restoreCloudSettings: async (
      { names, change }: ClientThing & Pick<ChangeRef, 'change'>,
      step: StepContext,
    ): Promise<void> => {
      const former = await changes.formerSettings(change);
      if (former === null) return;
      await within(names, step, (session) => session.restoreCloudSettings(dataOf(names), former));
    },
  };
}

/** What Slipway itself sets among `cloud_settings`. */
export type CloudSettingName = keyof ReturnType<typeof cloudSettingsOf>['mine'];

/** Texts, as the product reads them: flags are `0` or `1`, moments ISO in UTC, what is not set is empty. */
export function cloudSettingsOf(client: Client, graceDays = 0) {
  const end = client.licenseExpiresAt;
  return {
    mine: {
      maintenance: client.status === 'maintenance' ? '1' : '0',
      // the product locks itself by it, so it is told the end of the grace
      license_expires_at: end === null ? '' : lockTime(end, graceDays).toISOString(),
      version: client.versionTag,
      config: client.config,
      license: client.license,
    },
    first: { turbo_start: '0', tutorial_asked: '0', update_notice: '' },
  } satisfies CloudSettings;
}
