import type postgres from 'postgres';
import { fillTables, ROWS } from '../http/rows.js';

export const PER_PAGE = 50;
export const PAGES = ROWS / PER_PAGE;
/** Items of the two operations that are compared. */
export const SHORT = 100;
export const LONG = 10_000;

const operationOf = (client: number): string => `01JQ0000000000000000${String(client).padStart(6, '0')}`;

interface Logged {
  client: number;
  operation: string;
  items: number;
}

/** Two of the ten thousand clients, whose creates have told little and much. */
export const LOGGED: Record<'short' | 'long', Logged> = {
  short: { client: ROWS / 4, operation: operationOf(ROWS / 4), items: SHORT },
  long: { client: ROWS / 2, operation: operationOf(ROWS / 2), items: LONG },
};

/** Ten thousand clients with their operations, of several servers, states and versions; two with logs and archives of their own length. */
export async function fillLists(sql: postgres.Sql): Promise<void> {
  await fillTables(sql);
  await sql.unsafe(`insert into servers (name, host, domain, ssh_host_key, ssh_host_key_confirmed, sql_host, sql_port,
      sql_user, sql_password, product, tls)
    select 'web-' || n, '127.0.0.' || n, 'bench.example.test', 'SHA256:none', true, '127.0.0.1', 3306, 'slipway', 'none',
      'sample', 'off' from generate_series(2, 10) n`);
  await sql.unsafe(`update clients set server_id = 1 + id % 10,
    status = case when id % 20 = 0 then 'expired' else 'active' end,
    version_tag = '1.' || (id % 5) || '-master'`);
  for (const { operation, items } of Object.values(LOGGED)) {
    await sql`delete from operation_events where operation_id = ${operation}`;
    await sql`insert into operation_events (operation_id, seq, key, type, step, message, level)
      select ${operation}, n, n || ':line', 'step_done', 'step', 'Make part ' || n || ' of the client: done', 'info'
      from generate_series(1, ${items}::int) n`;
    await sql`insert into operation_timeline (operation_id, run_ordinal, event, time, type, step, message, data)
      select ${operation}, 1, n, now(), 'step_done', 'step', 'Make part ' || n || ' of the client: done', '{}'
      from generate_series(1, ${items}::int) n`;
    await sql`update operations set last_event = ${items} where id = ${operation}`;
  }
  await sql.unsafe('vacuum analyze');
}
