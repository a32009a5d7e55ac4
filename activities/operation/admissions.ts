import { eq, sql } from 'drizzle-orm';
import type { Db, Queries, Tx } from '../../db/database.js';
import { admissions } from '../../db/schema/index.js';
import type {
  AdmissionAnswer,
  AdmissionRequest,
  WaitActivities,
} from '../../workflows/contract/operation/admission.js';
import { failure } from '../../workflows/contract/operation/failures.js';
import type { Describe } from './subjects.js';
import { lookUntil } from './waiting.js';

/** Names our advisory locks among those of a shared Postgres; the other half is the server's id. */
const LOCK_CLASS = 7_547;
/** Of a long line the first are asked about; the others are, once they have come to the front. */
const CHECKED_AT_ONCE = 10;

/** How a wait goes; tests bring a faster one. */
export interface WaitPace {
  lookEveryMs: number;
  /** who is in the way is verified after this long, for the first time */
  verifyAfterMs: number;
  verifyEveryMs: number;
}

const PACE: WaitPace = {
  // twice a second: an operation takes seconds, and the look is one indexed query
  lookEveryMs: 500,
  // most holders are gone by themselves before
  verifyAfterMs: 5_000,
  verifyEveryMs: 30_000,
};

export interface AdmissionsOptions {
  db: Db;
  describe: Describe;
  pace?: WaitPace;
}

/**
 * Admission per server (`docs/contract/operations.md`, Identity and mutual exclusion): who may work there, decided in
 * Postgres alone.
 */
export function createAdmissions({
  db,
  describe,
  pace = PACE,
}: AdmissionsOptions): Pick<WaitActivities, 'takeAdmission' | 'awaitAdmission'> {
  async function look(
    request: AdmissionRequest,
    waitMs: number | null,
  ): Promise<AdmissionAnswer | undefined> {
    const others = await inTheWay(db, request);
    const [first] = others;
    if (first === undefined) {
      const answer = await db.transaction((tx) => takeAdmission(tx, request));
      return answer.admitted ? answer : undefined;
    }
    if (waitMs !== null && first.waitedMs > waitMs) {
      throw failure('Conflict', `${waitedFor(others, true)} was waited for long enough`, {
        hint: 'try again when they have ended, or end them',
      });
    }
    if (first.waitedMs >= pace.verifyAfterMs) await voidDead({ db, describe, pace }, others);
    return undefined;
  }

  return {
    takeAdmission: (request) => db.transaction((tx) => takeAdmission(tx, request)),
    async awaitAdmission({ waitMs, ...request }) {
      await lookUntil(() => look(request, waitMs), pace.lookEveryMs);
    },
  };
}

/**
 * All servers or none; whoever is refused stands in line. Locks are taken in the order of ids, and by id, so that a
 * server needs no row. Tickets are drawn under the locks: no two lines disagree about who was first.
 */
export async function takeAdmission(tx: Tx, request: AdmissionRequest): Promise<AdmissionAnswer> {
  const { operation, servers } = request;
  await refuseEnded(tx, operation);
  for (const server of [...new Set(servers)].sort((a, b) => a - b)) {
    await tx.execute(sql`select pg_advisory_xact_lock(${LOCK_CLASS}, ${server})`);
    await standInLine(tx, request, server);
  }
  const own = await tx.select().from(admissions).where(eq(admissions.operationId, operation));
  if (own.some(({ taking, givenBackAt }) => taking !== request.taking || givenBackAt !== null)) {
    throw failure('OperationClosed', `operation ${operation} has given this admission back`);
  }
  if (own.every(({ grantedAt }) => grantedAt !== null)) return { admitted: true };
  const others = await inTheWay(tx, request);
  if (others.length > 0) return { admitted: false, waitingFor: waitedFor(others, false) };
  await tx.update(admissions).set({ grantedAt: sql`now()` }).where(eq(admissions.operationId, operation));
  return { admitted: true };
}

/** In the transaction of the record of a hold. */
export async function giveBack(tx: Tx, operation: string, taking: number): Promise<void> {
  await tx.execute(sql`
    update admissions set granted_at = null, given_back_at = now()
    where operation_id = ${operation} and taking <= ${taking} and given_back_at is null`);
}

/** In the transaction of an end's record: nothing of it is in anybody's way any more. */
export async function forgetAdmissions(tx: Queries, operation: string): Promise<void> {
  await tx.delete(admissions).where(eq(admissions.operationId, operation));
}

async function refuseEnded(tx: Tx, operation: string): Promise<void> {
  const rows = await tx.execute(sql`select ended_at from operations where id = ${operation} for share`);
  if (rows[0] === undefined || rows[0]['ended_at'] !== null) {
    throw failure('OperationClosed', `operation ${operation} has ended`);
  }
}

/** Asked again for the same taking it keeps its place; after giving back it goes to the end of the line. */
async function standInLine(
  tx: Tx,
  { operation, root, exclusive, taking }: AdmissionRequest,
  server: number,
): Promise<void> {
  const mode = exclusive === true ? 'exclusive' : 'shared';
  await tx.execute(sql`
    insert into admissions as mine (server_id, operation_id, root_id, mode, taking)
    values (${server}, ${operation}, ${root}, ${mode}, ${taking})
    on conflict (server_id, operation_id) do update set
      taking = excluded.taking,
      ticket = case when mine.given_back_at is null then mine.ticket else excluded.ticket end,
      requested_at = case when mine.given_back_at is null then mine.requested_at else now() end,
      given_back_at = null, checked_at = null
    where mine.taking < excluded.taking`);
}

interface Other {
  serverId: number;
  operation: string;
  subject: string;
  kind: string;
  checkedMs: number | null;
  /** of who asks */
  waitedMs: number;
}

/**
 * Who keeps a request from being granted, by server, those first who work there: holders, and whoever came earlier and
 * does not go together with it. Where the root itself works, its children pass the line: it may be waiting for them.
 */
async function inTheWay(db: Queries, { operation, root }: AdmissionRequest): Promise<Other[]> {
  const rows = await db.execute(sql`
    select other.server_id as "serverId", other.operation_id as operation, holder.subject, holder.kind,
      (extract(epoch from now() - other.checked_at) * 1000)::float as "checkedMs",
      (extract(epoch from now() - mine.requested_at) * 1000)::float as "waitedMs"
    from admissions mine
    join admissions other on other.server_id = mine.server_id and other.root_id <> mine.root_id
      and other.given_back_at is null and 'exclusive' in (mine.mode, other.mode)
      and (other.granted_at is not null or other.ticket < mine.ticket and not exists (
        select from admissions kin where kin.operation_id = ${root} and kin.granted_at is not null))
    join operations holder on holder.id = other.operation_id and holder.ended_at is null
    where mine.operation_id = ${operation}
    order by other.server_id, other.granted_at is null, other.ticket`);
  return rows as unknown as Other[];
}

/** `server:3 (prune), server:4 (create_client and 2 more)`. */
function waitedFor(others: readonly Other[], withIds: boolean): string {
  const servers = [...new Set(others.map(({ serverId }) => serverId))];
  return servers
    .map((server) => {
      const [first, ...more] = others.filter(({ serverId }) => serverId === server);
      const name = withIds ? `${first?.kind} ${first?.operation}` : first?.kind;
      return `server:${server} (${name}${more.length === 0 ? '' : ` and ${more.length} more`})`;
    })
    .join(', ');
}

/** An operation whose workflow is closed, or gone, works nowhere any more, whatever its records say. */
async function voidDead(
  { db, describe, pace }: Required<AdmissionsOptions>,
  others: readonly Other[],
): Promise<void> {
  const due = others
    .filter(({ checkedMs }) => checkedMs === null || checkedMs > pace.verifyEveryMs)
    .slice(0, CHECKED_AT_ONCE);
  for (const { operation, subject } of due) {
    await db.update(admissions).set({ checkedAt: sql`now()` }).where(eq(admissions.operationId, operation));
    const run = await describe(subject).catch(() => undefined);
    // Temporal is away: nothing is known
    if (run === undefined) return;
    const lives = run?.running === true && (run.operation ?? operation) === operation;
    if (!lives) await forgetAdmissions(db, operation);
  }
}
