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
 * so that a slow database answers 503 in time instead of piling up requests.
 */
export function openDatabase({ url, poolSize }: { url: string; poolSize: number }): Database {
  const sql = postgres(url, {
    max: poolSize,
    connect_timeout: 3,
    // the default grows to 20 s: after a short outage a request would hang instead of answering 503
    backoff: () => 0.2,
    onnotice: () => undefined,
    connection: { statement_timeout: 5_000, application_name: 'slipway' },
  });
  return { db: drizzle(withPreparedStatements(sql), { schema }), sql, close: () => sql.end({ timeout: 5 }) };
}

/**
 * drizzle sends every statement through `unsafe`, which is unprepared by default and so costs a round trip more.
 * Its transactions get their client from `begin` and `savepoint`.
 */
function withPreparedStatements<Client extends object>(client: Client): Client {
  return new Proxy(client, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      if (name === 'unsafe') {
        return (query: string, parameters: unknown[] = [], options: object = {}) =>
          value.call(target, query, parameters, { prepare: true, ...options });
      }
      if (name !== 'begin' && name !== 'savepoint') return value;
      return (...args: unknown[]) =>
        value.apply(
          target,
          args.map((arg) =>
            typeof arg === 'function' ? (tx: object) => arg(withPreparedStatements(tx)) : arg,
          ),
        );
    },
  });
}
