import { AUTHORIZATION } from '../api-caller.js';
import { clientFields } from '../client-fields.js';
import { CLIENT, OPERATION } from './rows.js';

export interface Case {
  /** part of the metrics' names */
  name: string;
  title: string;
  method: 'GET' | 'POST';
  path: string;
  /** what an author without Slipway would ask Postgres for the same answer */
  queries: string[];
  insert: string | null;
}

const PAGE = 20;

const read = (name: string, title: string, path: string, queries: string[]): Case => ({
  name,
  title,
  method: 'GET',
  path,
  queries,
  insert: null,
});

/** The one that writes comes last: what it leaves behind is in nobody else's way. */
export const CASES: readonly Case[] = [
  read('listOperations', `${PAGE} operations`, `/operations?limit=${PAGE}`, [
    `select * from operations order by id desc limit ${PAGE}`,
  ]),
  read('listClients', `${PAGE} clients`, `/clients/?per_page=${PAGE}`, [
    `select * from clients join servers on servers.id = clients.server_id order by clients.id limit ${PAGE}`,
    'select count(*) from clients',
  ]),
  read('createlog', 'createlog of a client', `/clients/${CLIENT}/createlog`, [
    `select * from operation_events where operation_id = (select operation_id from clients where id = ${CLIENT})
      order by seq limit 1000`,
  ]),
  read('operation', 'one ended operation', `/operations/${OPERATION}`, [
    `select * from operations where id = '${OPERATION}'`,
    `select * from operation_steps where operation_id = '${OPERATION}' order by seq`,
  ]),
  {
    name: 'createClient',
    title: 'POST of a client',
    method: 'POST',
    path: '/clients/',
    queries: [],
    insert: 'insert into bare_starts (body) values ($1)',
  },
];

/** As the load generator sends it: `{n}` becomes six digits. */
export function requestOf(method: Case['method'], path: string): string {
  const head = [`${method} ${path} HTTP/1.1`, 'Host: 127.0.0.1', `Authorization: ${AUTHORIZATION}`];
  if (method === 'GET') return [...head, '', ''].join('\r\n');
  const body = new URLSearchParams(clientFields({ serverId: 1, subdomain: 'n{n}' }))
    .toString()
    .replaceAll('%7Bn%7D', '{n}');
  const length = body.replaceAll('{n}', '000000').length;
  const about = ['Content-Type: application/x-www-form-urlencoded', `Content-Length: ${length}`];
  return [...head, ...about, '', body].join('\r\n');
}
