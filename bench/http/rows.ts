import type postgres from 'postgres';

export const ROWS = 10_000;
/** Those that the cases ask for lie in the middle. */
export const CLIENT = ROWS / 2;
/** As a create has them. */
const STEPS = 14;

/** ULIDs in the order of their number: the time part is the same, what follows is digits. */
const ID = `'01JQ0000000000000000' || lpad(n::text, 6, '0')`;
export const OPERATION = `01JQ0000000000000000${String(CLIENT).padStart(6, '0')}`;

const STATEMENTS = [
  `insert into servers (name, host, domain, ssh_host_key, ssh_host_key_confirmed, sql_host, sql_port, sql_user,
      sql_password, product, tls)
    values ('web-1', '127.0.0.1', 'bench.example.test', 'SHA256:none', true, '127.0.0.1', 3306, 'slipway', 'none',
      'sample', 'off')`,
  `insert into clients (server_id, status, name, short_name, admin_f, admin_i, admin_o, admin_login, subdomain, email,
      phone, city, timezone, version_tag, config, license, billing_type, port, subnet_index, operation_id, available,
      users)
    select 1, 'active', 'Laboratory ' || n, 'lab' || n, 'Family', 'Given', 'Middle', 'chief', 'c' || n,
      'c' || n || '@example.test', '+1 555 0100', 'Springfield', 'Europe/London', '1.3-master', 'free text', 'free text',
      (select id from billing_types order by position limit 1), 20000 + n, n, ${ID}, true, n
    from generate_series(1, ${ROWS}) n`,
  `insert into operations (id, kind, subject, state, title, actor, input, run_id, places, last_event,
      last_record, started_at, confirmed_at, ended_at, archived_at, result)
    select ${ID}, 'create_client', 'client:' || n, 'succeeded', 'Create client ' || n, 'admin:admin',
      jsonb_build_object('params', jsonb_build_object('clientId', n, 'serverId', 1)), gen_random_uuid()::text, array['server:1'],
      ${STEPS * 2 + 2}, 3, now(), now(), now(), now(), 'null'
    from generate_series(1, ${ROWS}) n`,
  `insert into operation_steps (operation_id, key, title, state, seq, attempt, try, started_at, ended_at)
    select ${ID}, 'step-' || step, 'Make part ' || step || ' of the client', 'done', step, 1, 1, now(), now()
    from generate_series(1, ${ROWS}) n, generate_series(1, ${STEPS}) step`,
  `insert into operation_events (operation_id, seq, key, type, step, message, level)
    select ${ID}, line, line || ':line', case when line % 2 = 0 then 'step_started' else 'step_done' end,
      'step-' || (line / 2), 'Make part ' || (line / 2) || ' of the client: done', 'info'
    from generate_series(1, ${ROWS}) n, generate_series(1, ${STEPS * 2 + 2}) line`,
  'analyze',
];

/** Ten thousand clients, each with the operation that has created it: rows, and no traces in Temporal. */
export async function fillTables(sql: postgres.Sql): Promise<void> {
  for (const statement of STATEMENTS) await sql.unsafe(statement);
}
