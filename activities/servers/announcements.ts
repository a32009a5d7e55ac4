import pLimit from 'p-limit';
import type { ClientThing } from '../../workflows/contract/clients/clients.js';
import { dataOf } from '../../workflows/contract/clients/databases.js';
import { failure, type FailureKind, kindOf } from '../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';
import type { Connections } from '../clients/connections.js';
import { nameOf } from '../hosts/connections.js';
import type { ServerReads } from './server-records.js';
import type { Announcement } from '../sql/engine.js';
import { openSql } from '../sql/open-sql.js';

export type AnnouncementActivities = ReturnType<typeof createAnnouncementActivities>;

export interface AnnouncementPorts
  extends Pick<Connections, 'servers' | 'secrets'>,
    Pick<ServerReads, 'serving'> {
  releases: { get(operation: string): Promise<Announcement> };
}

/** A server has connections for its clients too. */
const AT_ONCE = 4;
/** So many databases are named; the rest is a number. */
const NAMED = 5;
/** These are the server's own, and every other client would only meet them too. */
const OF_SERVER: readonly FailureKind[] = ['Unavailable', 'Unauthorized', 'CapacityExceeded'];

interface Untold {
  name: string;
  error: unknown;
}

/**
 * Tells the clients of a server of a version, in their own databases (`docs/contract/servers.md`, Servers and the
 * fleet).
 */
export function createAnnouncementActivities({ servers, secrets, serving, releases }: AnnouncementPorts) {
  return {
    /** All clients that are up; one that cannot be told does not keep it from the others. */
    async announceRelease(
      { serverId, release }: { serverId: number; release: string },
      step: StepContext,
    ): Promise<{ clients: number }> {
      const [server, things, announcement] = await Promise.all([
        servers.get(serverId),
        serving(serverId),
        releases.get(release),
      ]);
      const password = await secrets.reveal(server.sqlPassword);
      const untold: Untold[] = [];
      const announceTo = async ({ names }: ClientThing): Promise<void> => {
        if (untold.some(({ error }) => OF_SERVER.includes(kindOf(error)))) return;
        const present = names.image.endsWith(`:${announcement.version}`);
        await openSql(server, password, step.signal, (session) =>
          session.announce(dataOf(names), { ...announcement, present }),
        ).catch((error: unknown) => untold.push({ name: names.name, error }));
      };
      const limit = pLimit(AT_ONCE);
      await Promise.all(things.map((thing) => limit(announceTo, thing)));
      step.signal.throwIfAborted();
      step.summarize(`${things.length} clients, ${announcement.version}`);
      if (untold.length > 0) throw untoldFailure(untold, `${announcement.version} on ${nameOf(server)}`);
      return { clients: things.length };
    },
  };
}

function untoldFailure(untold: readonly Untold[], what: string) {
  const errors = untold.map(({ error }) => error);
  const first = errors.find((error) => OF_SERVER.includes(kindOf(error))) ?? errors[0];
  const names = untold.slice(0, NAMED).map(({ name }) => name);
  const cause = first instanceof Error ? first.message : String(first);
  const kind = OF_SERVER.find((known) => known === kindOf(first)) ?? 'CommandFailed';
  return failure(kind, `not every client could be told of ${what} (${names.join(', ')}): ${cause}`, {
    hint: 'mend their databases, then retry; those that know it already are only told again',
  });
}
