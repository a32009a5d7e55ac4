import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import * as schema from './schema/index.js';

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
    connection: {
      statement_timeout: 5_000,
      // a process that stands still must not keep what others wait for; below the 30 s that a record is tried
      idle_in_transaction_session_timeout: 10_000,
      application_name: 'slipway',
    },
  });
  const bound = () => (answerWithinMs === null ? null : Date.now() + answerWithinMs);
  return {
    db: drizzle(withBounds(sql, bound), { schema }),
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

/** Until when an answer is of use, epoch milliseconds; null = as long as it takes. */
type Bound = () => number | null;

/**
 * drizzle sends every statement through `unsafe`, and its transactions get their client from `begin` and `savepoint`. Never
 * prepared: where all connections are taken, the driver would send such a statement behind one that waits for a lock.
 */
function withBounds<Client extends object>(client: Client, bound: Bound): Client {
  return new Proxy(client, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      if (name === 'unsafe') {
        return (query: string, parameters: unknown[] = [], options: object = {}) =>
          settledBy(bound(), value.call(target, query, parameters, { ...options, prepare: false }));
      }
      if (name !== 'begin' && name !== 'savepoint') return value;
      return (...args: unknown[]) => {
        const until = bound();
        const given = args.map((arg) =>
          typeof arg === 'function'
            ? (tx: object) => {
                // nobody waits for it any more: it must not be done behind their back
                if (until !== null && Date.now() >= until) throw late();
                return arg(withBounds(tx, () => until));
              }
            : arg,
        );
        return raced(until, value.apply(target, given));
      };
    },
  });
}

/** A query of the driver: lazy, so that it must stay the same object, and settled by whoever is first. */
type Query = Promise<unknown> & { reject(error: Error): void };

function settledBy(until: number | null, query: Query): Query {
  if (until === null) return query;
  const timer = setTimeout(() => query.reject(late()), until - Date.now());
  const clear = () => clearTimeout(timer);
  query.then(clear, clear);
  return query;
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
