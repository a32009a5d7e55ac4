import type { ChangeRef } from '../../../workflows/contract/clients/client-change.js';
import type { ClientNames, ClientThing } from '../../../workflows/contract/clients/clients.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { changedClient, type Client, type Connections } from '../connections.js';
import { nameOf, type Server } from '../../hosts/connections.js';
import { lockTime } from '../licenses/reminder-plan.js';
import type { CloudSettings, SqlSession } from '../../sql/engine.js';
import { checkIdentifier } from '../../sql/identifiers.js';
import { openSql } from '../../sql/open-sql.js';

export type SqlActivities = ReturnType<typeof createSqlActivities>;

/** A client's database and user on its server's SQL engine, over the backend's remote login. */
export function createSqlActivities({
  servers,
  clients,
  changes,
  secrets,
  graceDays = 0,
}: Pick<Connections, 'servers' | 'clients' | 'changes' | 'secrets' | 'graceDays'>) {
  const withSession = async <Result>(
    { name, serverId }: ClientNames,
    step: StepContext,
    act: (session: SqlSession, server: Server) => Promise<Result>,
  ): Promise<Result> => {
    // what is no plain name is refused before any engine has compared it in its own way
    checkIdentifier(name);
    const server = await servers.get(serverId);
    const password = await secrets.reveal(server.sqlPassword);
    return openSql(server, password, step.signal, (session) => act(session, server));
  };

  return {
    /** Changes nothing. `Conflict` names the database or user of that name that this operation has not made. */
    surveyDatabase: ({ names, operation }: ClientThing, step: StepContext): Promise<void> =>
      withSession(names, step, async (session, server) => {
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
      await withSession(names, step, (session) => session.ensure({ name, operation, subnet, password }));
      step.summarize(`database and user ${name}`);
    },

    /** Undo of `ensureDatabase`: succeeds when there is nothing, leaves what bears no mark of the operation. */
    removeDatabase: ({ names, operation }: ClientThing, step: StepContext): Promise<void> =>
      withSession(names, step, async (session) => {
        await session.remove({ name: names.name, operation });
      }),

    /** For deleting a client: `operation` is the one that created it. `Conflict` when another has put its own there. */
    dropDatabase: ({ names, operation }: ClientThing, step: StepContext): Promise<void> =>
      withSession(names, step, async (session, server) => {
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
      withSession(names, step, (session) => {
        const flag = { maintenance: on ? '1' : '0' };
        return session.writeCloudSettings(names.name, { mine: flag, first: flag });
      }),

    /** Changes nothing. `Unauthorized` when a dump holds what this login could not restore: then no backup would help. */
    checkRestorable: ({ names }: ClientThing, step: StepContext): Promise<void> =>
      withSession(names, step, async (session, server) => {
        const kinds = await session.unrestorable(names.name);
        if (kinds.length === 0) return;
        throw failure(
          'Unauthorized',
          `database ${names.name} holds ${kinds.join(', ')} that ${server.sqlUser} on ${nameOf(server)} may not restore`,
          {
            hint:
              server.sqlEngine === 'mariadb'
                ? `GRANT SET USER ON *.* to ${server.sqlUser}, then retry`
                : `make ${names.name} their owner, then retry`,
          },
        );
      }),

    /** `version`: a tag such as `1.4-master`, for the product's own pages and for what it offers next. */
    recordVersion: (
      { names, version }: ClientThing & { version: string },
      step: StepContext,
    ): Promise<void> => withSession(names, step, (session) => session.recordVersion(names.name, version)),

    /**
     * What the product reads of its client: maintenance, licence, version, configuration
     * (`docs/contract/clients.md`, Creating a client).
     */
    writeCloudSettings: async ({ names }: ClientThing, step: StepContext): Promise<void> => {
      const client = await clients.get(names.clientId);
      await withSession(names, step, (session) =>
        session.writeCloudSettings(names.name, cloudSettingsOf(client, graceDays)),
      );
    },

    /** Some of these settings as the operation `change` will have them; what was there before is kept first. */
    changeCloudSettings: async (
      { names, keys, ...ref }: ClientThing & ChangeRef & { keys: CloudSettingName[] },
      step: StepContext,
    ): Promise<void> => {
      const { name, clientId } = names;
      const { mine } = cloudSettingsOf(await changedClient({ clients, changes }, clientId, ref), graceDays);
      const wanted = Object.fromEntries(keys.map((key) => [key, mine[key]]));
      await withSession(names, step, async (session) => {
        const former = await session.readCloudSettings(name, keys);
        await changes.keepSettings({ change: ref.change, clientId, former });
        await session.writeCloudSettings(name, { mine: wanted, first: {} });
      });
    },

    /** Undo of `changeCloudSettings`: nothing kept means that it has never written. */
    restoreCloudSettings: async (
      { names, change }: ClientThing & Pick<ChangeRef, 'change'>,
      step: StepContext,
    ): Promise<void> => {
      const former = await changes.formerSettings(change);
      if (former === null) return;
      await withSession(names, step, (session) => session.restoreCloudSettings(names.name, former));
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
