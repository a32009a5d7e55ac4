import { and, asc, eq, exists, inArray, isNotNull, ne, or, sql } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import { clients, operations, servers } from '../../db/schema/index.js';
import type { ChildToStart, FanOutRules } from '../../workflows/contract/operation/fan-out.js';
import type {
  ReconfigurateResult,
  RefreshResult,
  ServerOutcome,
} from '../../workflows/contract/servers/fleet.js';
import type { Rehearsal } from '../../workflows/contract/clients/rehearsal.js';
import { failure } from '../../workflows/contract/operation/failures.js';
import { placeOf } from '../../workflows/contract/operation/places.js';
import { subjectId } from '../../workflows/contract/operation/ids.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';
import { compareVersions } from '../../workflows/contract/clients/versions.js';
import { statusesWith } from '../../workflows/contract/clients/statuses.js';

export type FleetRecords = ReturnType<typeof createFleetRecords>;

/** More would make the result too large for a history; all of them are in `GET /operations?parent=`. */
const OUTCOMES_LIMIT = 200;

interface OnServer {
  serverId: number;
}

interface Rehearsed extends OnServer {
  /** absent: as the server says */
  rehearse?: Rehearsal;
  /** how many of the first ones are rehearsed whatever is said */
  canary: number;
}

/** Who takes part in what is done to all of a server or of the fleet, in the order of starting, and what it came to. */
export function createFleetRecords({ db }: { db: Db }) {
  /** Clients with an environment: the least important first, because the first ones are the canaries. */
  const findClients = ({ serverId }: OnServer) =>
    db
      .select({ id: clients.id, subdomain: clients.subdomain, versionTag: clients.versionTag })
      .from(clients)
      .where(
        and(
          eq(clients.serverId, serverId),
          inArray(clients.status, statusesWith('present')),
          isNotNull(clients.names),
        ),
      )
      .orderBy(sql`array_position(array['test', 'demo', 'client'], ${clients.kind})`, asc(clients.id));

  async function listClients({ serverId }: OnServer): Promise<ChildToStart[]> {
    return (await findClients({ serverId })).map((client) => childOf(client, { serverId }));
  }

  /** The newest operation of each subject under this parent: a retry starts rolled-back ones again. */
  const listChildren = ({ operation }: StepContext) =>
    db
      .selectDistinctOn([operations.subject], {
        id: operations.id,
        state: operations.state,
        subject: operations.subject,
        result: operations.result,
      })
      .from(operations)
      .where(eq(operations.parentId, operation))
      .orderBy(asc(operations.subject), sql`${operations.id} desc`);

  return {
    /**
     * Those that have the version already are left out: a canary among them would prove nothing. `InvalidInput` when it
     * is lower than that of any other, without `force`: better before all than at each.
     */
    async listClientsToSwitch(
      { serverId, versionTag, force, ...wish }: Rehearsed & { versionTag: string; force: boolean },
      _step: StepContext,
    ): Promise<ChildToStart[]> {
      const others = (await findClients({ serverId })).filter((client) => client.versionTag !== versionTag);
      const higher = others.filter((client) => compareVersions(versionTag, client.versionTag) < 0);
      if (higher.length > 0 && !force) throw tooLow(versionTag, higher);
      return others.map((client, index) =>
        childOf(client, { serverId, params: { versionTag, force, ...rehearsing(wish, index) } }),
      );
    },

    async listClientsToMigrate(
      { serverId, ...wish }: Rehearsed,
      _step: StepContext,
    ): Promise<ChildToStart[]> {
      const found = await findClients({ serverId });
      return found.map((client, index) => childOf(client, { serverId, params: rehearsing(wish, index) }));
    },

    listClientsToRefresh: (on: OnServer, _step: StepContext) => listClients(on),

    /** Servers where clients may be placed, and others that still have some. */
    async listServersToReconfigurate(
      { rules }: { rules: FanOutRules },
      _step: StepContext,
    ): Promise<ChildToStart[]> {
      const living = db
        .select({ id: clients.id })
        .from(clients)
        .where(and(eq(clients.serverId, servers.id), ne(clients.status, 'deleted')));
      const rows = await db
        .select({ id: servers.id, name: servers.name })
        .from(servers)
        .where(or(eq(servers.active, true), exists(living)))
        // what is only for staging goes first: the first ones are the canaries
        .orderBy(sql`${servers.stage} desc`, asc(servers.id));
      return rows.map(({ id, name }) => ({
        subject: subjectId('server', id),
        params: { serverId: id, rules },
        named: name,
      }));
    },

    /** How many of this operation's children have said that something changed. */
    async countChanged(_input: object, step: StepContext): Promise<{ changed: number }> {
      const children = await listChildren(step);
      return { changed: children.filter(({ result }) => (result as Changed)?.changed === true).length };
    },

    /** How each server's own operation ended, with its counts. */
    async listServerOutcomes(
      _input: object,
      step: StepContext,
    ): Promise<Pick<ReconfigurateResult, 'changed' | 'servers'>> {
      const outcomes = (await listChildren(step)).map(outcomeOf);
      return {
        changed: outcomes.reduce((sum, { clients: its }) => sum + (its?.changed ?? 0), 0),
        servers: outcomes.sort((one, other) => one.server - other.server).slice(0, OUTCOMES_LIMIT),
      };
    },
  };
}

function rehearsing(
  { rehearse, canary }: Omit<Rehearsed, 'serverId'>,
  index: number,
): { rehearse?: Rehearsal } {
  if (index < canary) return { rehearse: rehearse === 'restore' ? 'restore' : 'migrate' };
  return rehearse === undefined ? {} : { rehearse };
}

interface Found {
  id: number;
  subdomain: string;
  versionTag: string;
}

function childOf(
  { id, subdomain }: Found,
  { serverId, params = {} }: OnServer & { params?: object },
): ChildToStart {
  return {
    subject: subjectId('client', id),
    params: { clientId: id, serverId, ...params },
    group: subjectId('server', serverId),
    named: subdomain,
  };
}

/** The first few by name are enough to see what is wrong. */
function tooLow(versionTag: string, higher: Found[]): Error {
  const named = higher.slice(0, 5).map(({ id, versionTag: its }) => `client ${id} (${its})`);
  const more = higher.length - named.length;
  return failure(
    'InvalidInput',
    `${versionTag} is lower than the version of ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`,
    { hint: 'force=true switches them too, without migrations' },
  );
}

type Changed = { changed?: unknown } | null;

function outcomeOf(row: { id: string; state: string; subject: string; result: unknown }): ServerOutcome {
  const common = { server: Number(placeOf(row.subject).id), operation: row.id, state: row.state };
  if (typeof row.result !== 'object' || row.result === null) return common;
  const { total, done, failed, notStarted, changed } = row.result as RefreshResult;
  return { ...common, clients: { total, done, failed, notStarted, changed } };
}
