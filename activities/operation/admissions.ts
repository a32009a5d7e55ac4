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

/** Names our advisory locks among those of a shared Postgres; the other half is the place's hash. */
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
 * Admission per place (`docs/contract/operations.md`, Identity and mutual exclusion): who may work there, decided in
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
 * All places or none; whoever is refused stands in line. Locks are taken in the order of what they are taken by, so that
 * nobody waits in a circle, and a place needs no row. Tickets are drawn under the locks: no two lines disagree about who
 * was first.
 */
export async function takeAdmission(tx: Tx, request: AdmissionRequest): Promise<AdmissionAnswer> {
  const { operation } = request;
  await refuseEnded(tx, operation);
  const places = [...new Set(request.places)];
  const named = sql.join(
    places.map((place) => sql`${place}::text`),
    sql`, `,
  );
  await tx.execute(sql`
    select pg_advisory_xact_lock(${LOCK_CLASS}, hash) from (
      select distinct hashtext(place) as hash from unnest(array[${named}]) place order by 1) locks`);
  for (const place of places) await standInLine(tx, request, place);
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
  place: string,
): Promise<void> {
  const mode = exclusive === true ? 'exclusive' : 'shared';
  await tx.execute(sql`
    insert into admissions as mine (place, operation_id, root_id, mode, taking)
    values (${place}, ${operation}, ${root}, ${mode}, ${taking})
    on conflict (place, operation_id) do update set
      taking = excluded.taking,
      ticket = case when mine.given_back_at is null then mine.ticket else excluded.ticket end,
      requested_at = case when mine.given_back_at is null then mine.requested_at else now() end,
      given_back_at = null, checked_at = null
    where mine.taking < excluded.taking`);
}

interface Other {
  place: string;
  operation: string;
  subject: string;
  kind: string;
  checkedMs: number | null;
  /** of who asks */
  waitedMs: number;
}

/**
 * Who keeps a request from being granted, by place, those first who work there: holders, and whoever came earlier and
 * does not go together with it. Where the root itself works, its children pass the line: it may be waiting for them.
 */
async function inTheWay(db: Queries, { operation, root }: AdmissionRequest): Promise<Other[]> {
  const rows = await db.execute(sql`
    select other.place, other.operation_id as operation, holder.subject, holder.kind,
      (extract(epoch from now() - other.checked_at) * 1000)::float as "checkedMs",
      (extract(epoch from now() - mine.requested_at) * 1000)::float as "waitedMs"
    from admissions mine
    join admissions other on other.place = mine.place and other.root_id <> mine.root_id
      and other.given_back_at is null and 'exclusive' in (mine.mode, other.mode)
      and (other.granted_at is not null or other.ticket < mine.ticket and not exists (
        select from admissions kin where kin.operation_id = ${root} and kin.granted_at is not null))
    join operations holder on holder.id = other.operation_id and holder.ended_at is null
    where mine.operation_id = ${operation}
    order by other.place, other.granted_at is null, other.ticket`);
  return rows as unknown as Other[];
}

/** `server:3 (prune), server:4 (create_client and 2 more)`. */
function waitedFor(others: readonly Other[], withIds: boolean): string {
  const places = [...new Set(others.map(({ place }) => place))];
  return places
    .map((at) => {
      const [first, ...more] = others.filter(({ place }) => place === at);
      const name = withIds ? `${first?.kind} ${first?.operation}` : first?.kind;
      return `${at} (${name}${more.length === 0 ? '' : ` and ${more.length} more`})`;
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
