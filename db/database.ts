import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import pLimit from 'p-limit';
import postgres from 'postgres';
import * as schema from './schema/index.js';

/**
 * Statements of more are lists of differing length, each length one that every connection would keep for ever. The
 * largest of a step's records has some forty.
 */
const PREPARED_PARAMETERS = 64;

export type Db = PostgresJsDatabase<typeof schema>;
export type Tx = Parameters<Parameters<Db['transaction']>[0]>[0];
/** What a query runs on: the pool, or the transaction of its caller. */
export type Queries = Db | Tx;

export interface Database {
  db: Db;
  /** for LISTEN and for health */
  sql: postgres.Sql;
  close(): Promise<void>;
}

/**
 * `url`: `postgres://user:password@host:port/database`. Statements give up after 5 s and connections after 3 s,
 * so that a slow database answers 503 in time instead of piling up requests. With `answerWithinMs` queries and whole
 * transactions fail by then on this side too, with the code ETIMEDOUT, whatever keeps the answer: for those who wait.
 */
export function openDatabase({
  url,
  poolSize,
  answerWithinMs = null,
}: {
  url: string;
  poolSize: number;
  answerWithinMs?: number | null;
}): Database {
  const sql = postgres(url, {
    max: poolSize,
    connect_timeout: 3,
    // the default grows to 20 s: after a short outage a request would hang instead of answering 503
    backoff: () => 0.2,
    onnotice: () => undefined,
    // only lists need it, as parameters or columns, and none is used; when Postgres stops while the driver fetches them,
    // nobody catches its error, and the process ends
    fetch_types: false,
    connection: {
      statement_timeout: 5_000,
      // a process that stands still must not keep what others wait for; below the 30 s that a record is tried
      idle_in_transaction_session_timeout: 10_000,
      application_name: 'slipway',
    },
  });
  const places = pLimit(poolSize);
  const bound = () => (answerWithinMs === null ? null : Date.now() + answerWithinMs);
  return {
    db: drizzle(withBounds(sql, { bound, place: places }), { schema }),
    sql,
    close: () => sql.end({ timeout: 5 }),
  };
}

/**
 * A query that is built once for each pool, with placeholders: what every request asks takes drizzle as long to build as
 * Postgres to answer.
 */
export function builtOnce<Query>(build: (db: Queries) => Query): (db: Queries) => Query {
  const built = new WeakMap<Queries, Query>();
  return (db) => {
    const query = built.get(db) ?? build(db);
    built.set(db, query);
    return query;
  };
}

interface Bounds {
  /** until when an answer is of use, epoch milliseconds; null = as long as it takes */
  bound(): number | null;
  /** runs it when a connection is free */
  place<T>(work: () => Promise<T>): Promise<T>;
}

/**
 * drizzle sends every statement through `unsafe`, and its transactions get their client from `begin` and `savepoint`.
 * Statements wait for a free connection here: the driver would send a prepared one, or the begin of a transaction,
 * behind one that waits for a lock.
 */
function withBounds<Client extends object>(client: Client, { bound, place }: Bounds): Client {
  /** what nobody waits for any more must not be done behind their back */
  const within = <T>(until: number | null, work: () => Promise<T>) =>
    raced(
      until,
      place(() =>
        askedAnew(() => {
          if (until !== null && Date.now() >= until) throw late();
          return work();
        }),
      ),
    );
  return new Proxy(client, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      if (name === 'unsafe') {
        return (query: string, parameters: unknown[] = [], options: object = {}) => {
          const prepare = parameters.length <= PREPARED_PARAMETERS;
          const ask = () => value.call(target, query, parameters, { ...options, prepare }) as Query;
          return {
            values: () => within(bound(), () => ask().values()),
            // oxlint-disable-next-line unicorn/no-thenable -- lazy as the driver's own: drizzle decides by which it asks
            then: (...settled: Parameters<Query['then']>) => within(bound(), ask).then(...settled),
          };
        };
      }
      if (name !== 'begin' && name !== 'savepoint') return value;
      return (...args: unknown[]) => {
        const until = bound();
        const inside: Bounds = { bound: () => until, place: (work) => work() };
        const given = args.map((arg) =>
          typeof arg === 'function' ? (tx: object) => arg(withBounds(tx, inside)) : arg,
        );
        return within(until, () => value.apply(target, given));
      };
    },
  });
}

/** A query of the driver: not sent before somebody waits for it. */
type Query = Promise<unknown> & { values(): Promise<unknown> };

/** How Postgres ends a connection in the middle of a statement: by its stop, or by a crash. */
const ENDED_BY_SERVER = ['57P01', '57P02'];

/**
 * The driver keeps such an end for the first statement of the next connection, which it never sends: porsager/postgres
 * issue 1223. The statement that was ended hears CONNECTION_CLOSED.
 */
async function askedAnew<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof postgres.PostgresError && ENDED_BY_SERVER.includes(error.code)) return work();
    throw error;
  }
}

async function raced<T>(until: number | null, work: Promise<T>): Promise<T> {
  if (until === null) return work;
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), until - Date.now());
  });
  work.catch(() => undefined);
  return Promise.race([work, timeout]).finally(() => clearTimeout(timer));
}

function late(): Error {
  return Object.assign(new Error('Postgres did not answer in time'), { code: 'ETIMEDOUT' });
}
