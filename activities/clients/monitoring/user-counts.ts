import { Context } from '@temporalio/activity';
import { and, asc, eq, inArray, isNotNull, sql } from 'drizzle-orm';
import type { Db } from '../../../db/database.js';
import { clients, operations } from '../../../db/schema/index.js';
import { subjectId } from '../../../workflows/contract/operation/ids.js';
import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';
import type { Connections } from '../connections.js';
import { CLIENT_SERVICE } from '../containers/compose-file.js';
import { composeCommand } from '../containers/containers.js';
import { createClientHosts } from '../containers/client-hosts.js';
import { readCount } from '../commands/commands.js';
import { loadProfile } from '../product/profile.js';
import { MADE, thingOf } from '../records/client-things.js';
import { sh } from '../../ssh/shell.js';
import { statusesWith } from '../../../workflows/contract/clients/statuses.js';

export type UserCountActivities = ReturnType<typeof createUserCounts>;

/** A framework that starts on a loaded host takes seconds; one that takes longer is counted tomorrow. */
const COUNT_S = 60;
/** For the container's own start and end around it. */
const AROUND_MS = 20_000;
/** One-off containers at once on one server: its clients come first. */
const AT_ONCE = 2;
/** A server that was away so often in a row is left for tomorrow. */
const AWAY_IN_A_ROW = 2;

export interface Counted {
  counted: number;
  /** their old number stays */
  failed: number;
}

/** Users of every client, counted by the product itself in a one-off container. */
export function createUserCounts({ db, connections }: { db: Db; connections: Connections }) {
  return {
    /** Counts on one server; clients with a running operation are left out. */
    async countUsersOn({ serverId }: { serverId: number }): Promise<Counted> {
      const { heartbeat, cancellationSignal: signal } = Context.current();
      const queue = (await listCounted(db, serverId)).values();
      const result: Counted = { counted: 0, failed: 0 };
      let away = 0;
      const lane = async () => {
        for (const thing of queue) {
          heartbeat();
          if (away >= AWAY_IN_A_ROW) {
            result.failed += 1;
            continue;
          }
          try {
            await recordCount(db, thing, await countUsers(connections, thing, signal));
            result.counted += 1;
            away = 0;
          } catch (error) {
            signal.throwIfAborted();
            result.failed += 1;
            if (kindOf(error) === 'Unavailable') away += 1;
          }
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, lane));
      return result;
    },
  };
}

async function listCounted(db: Db, serverId: number): Promise<ClientThing[]> {
  const rows = await db
    .select(MADE)
    .from(clients)
    .where(
      and(
        eq(clients.serverId, serverId),
        inArray(clients.status, statusesWith('present')),
        isNotNull(clients.names),
        sql`not exists (select from ${operations} where ${operations.endedAt} is null
          and ${operations.subject} = ${subjectId('client', '')} || ${clients.id})`,
      ),
    )
    .orderBy(asc(clients.id));
  return rows.flatMap((row) => thingOf(row) ?? []);
}

async function countUsers(
  connections: Connections,
  thing: ClientThing,
  signal: AbortSignal,
): Promise<number> {
  const { names } = thing;
  const hosts = createClientHosts(connections);
  const host = await hosts.open(names.serverId, { signal });
  const { facts } = host;
  const { run } = loadProfile(names.product).commands.countUsers;
  const container = `${names.name}-count-users`;
  const script = sh`
${facts.docker} rm -f -- ${container} >/dev/null 2>&1 </dev/null || true
exec timeout -k 5 ${COUNT_S} ${composeCommand(thing, facts)} run --rm -T --no-deps --name ${container} ${CLIENT_SERVICE} ${run} </dev/null`;
  const timeoutMs = COUNT_S * 1_000 + AROUND_MS;
  const title = `counting the users of ${names.name}`;
  const { stdout } = await hosts.look(host, { title, signal }, script, { timeoutMs });
  return readCount(stdout, names.name);
}

async function recordCount(db: Db, { names }: ClientThing, users: number): Promise<void> {
  await db
    .update(clients)
    .set({ users, usersCountedAt: new Date() })
    .where(and(eq(clients.id, names.clientId), inArray(clients.status, statusesWith('present'))));
}
