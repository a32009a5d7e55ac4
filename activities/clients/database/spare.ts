import { eq, sql } from 'drizzle-orm';
import type { Db } from '../../../db/database.js';
import { clients } from '../../../db/schema/index.js';
import type { ClientNames, ClientThing } from '../../../workflows/contract/clients/clients.js';
import { databaseOf, databasesOf, dataOf, spareOf } from '../../../workflows/contract/clients/databases.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';
import { mark } from '../../../workflows/contract/operation/ids.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { nameOf } from '../../hosts/connections.js';
import type { ReachedHost } from '../../hosts/host.js';
import { writeFor } from '../../operation/operation-write.js';
import { joinScripts } from '../../ssh/shell.js';
import type { Connections } from '../connections.js';
import { endChanging, readDataState, refuseChanging } from '../containers/changing.js';
import { createClientHosts } from '../containers/client-hosts.js';
import { withSession } from './session.js';

export type SpareActivities = ReturnType<typeof createSpareActivities>;

/** The second database of a client: a whole copy beside, for as long as an operation changes the first. */
export function createSpareActivities({ db, connections }: { db: Db; connections: Connections }) {
  const hosts = createClientHosts(connections);

  return {
    /**
     * An empty database beside the client's own; without one `NotFound`, or `made: false` with `ifThere`. An earlier spare
     * goes, unless a change that was not taken back has left it: then it may be what is whole, and `Conflict` says so.
     */
    makeSpare: async (
      { ifThere = false, names, operation }: ClientThing & { ifThere?: boolean },
      step: StepContext,
    ): Promise<{ made: boolean }> => {
      const host = await hosts.reach(names.serverId);
      const { changing } = await readState(host, names, step);
      const thing = { ...dataOf(names), spare: spareOf(names), operation };
      const replaces = changing === '' || changing === mark(step.operation);
      try {
        await withSession(connections, names, step, (session) => session.makeSpare({ ...thing, replaces }));
      } catch (error) {
        if (!ifThere || kindOf(error) !== 'NotFound') throw error;
        step.summarize(`there is no database ${thing.database}`);
        return { made: false };
      }
      step.summarize(`database ${thing.spare}`);
      return { made: true };
    },

    /**
     * End of a change, and undo of `makeSpare`: what the client's directory names as its database is recorded, the other
     * one is dropped. While a change is not taken back both stay, as one of them is whole.
     */
    settleSpare: async ({ names, operation }: ClientThing, step: StepContext): Promise<void> => {
      const host = await hosts.reach(names.serverId);
      if (step.phase === 'undo') await hosts.endJobs(host, step);
      const own = await readState(host, names, step, { settled: true });
      const known = databasesOf(names.name).find((one) => one === own.database);
      // without a word there it was never another one than the record says
      const database = known ?? (await recorded(names));
      await record(names, database, step);
      const other = spareOf({ ...names, database });
      const dropped = await withSession(connections, names, step, (session) =>
        session.drop({ database: other, operation }),
      );
      if (own.changing === mark(step.operation)) await hosts.run(host, step, endChanging(names));
      step.summarize(
        `database ${database} on ${nameOf(host.server)}${dropped === 'removed' ? `, ${other} is dropped` : ''}`,
      );
    },
  };

  async function readState(
    host: ReachedHost,
    names: ClientNames,
    step: StepContext,
    { settled = false } = {},
  ): Promise<{ database: string; changing: string }> {
    const look = readDataState(names);
    const script = settled ? joinScripts([refuseChanging(names, step), look]) : look;
    const { stdout } = await hosts.look(host, step, script, { what: `reading ${names.directory}` });
    const [database = '', changing = ''] = stdout.split('\n');
    return { database, changing };
  }

  async function recorded(names: ClientNames): Promise<string> {
    const { names: present } = await connections.clients.get(names.clientId);
    return databaseOf(present?.serverId === names.serverId ? present : names);
  }

  async function record({ clientId, name }: ClientNames, database: string, step: StepContext): Promise<void> {
    const names =
      database === name
        ? sql`${clients.names} - 'database'`
        : sql`jsonb_set(${clients.names}, '{database}', to_jsonb(${database}::text))`;
    await writeFor(db, step, (tx) => tx.update(clients).set({ names }).where(eq(clients.id, clientId)));
  }
}
