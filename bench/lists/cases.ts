import { LOGGED, PAGES, PER_PAGE } from './rows.js';

export interface Case {
  /** part of the metrics' names */
  name: string;
  title: string;
  path: string;
}

const clients = (name: string, title: string, query: string): Case => ({
  name,
  title,
  path: `/clients?per_page=${PER_PAGE}${query}`,
});

const CLIENTS: readonly Case[] = [
  clients('first', 'clients, first page', ''),
  clients('middle', 'clients, page in the middle', `&page=${PAGES / 2}`),
  clients('last', 'clients, last page', `&page=${PAGES}`),
  clients('server', 'clients of a server', '&server_id=3'),
  clients('status', 'clients of a status', '&status=expired'),
  clients('version', 'clients of a version', '&version=1.2-master'),
  clients('search', 'clients by a part of their name', '&q=tory%2077'),
];

/** A page of the same size of the short log and of the long one: the newest lines, and those after a line near the end. */
const PAGE = 50;

function logged(length: 'short' | 'long'): Case[] {
  const { client, operation, items } = LOGGED[length];
  const name = (what: string) => `${what}${length === 'short' ? 'Short' : 'Long'}`;
  const title = (what: string) => `${what} of ${items} items`;
  const cursor = Buffer.from(
    JSON.stringify({
      run: 1,
      after: items - PAGE,
      runId: '',
      token: null,
      seen: items - PAGE,
      state: { run: 1, title: '', calls: {}, holding: null, end: null },
    }),
  ).toString('base64url');
  return [
    {
      name: name('newest'),
      title: title('newest of createlog'),
      path: `/clients/${client}/createlog?limit=${PAGE}`,
    },
    {
      name: name('after'),
      title: title('end of createlog'),
      path: `/clients/${client}/createlog?after=${items - PAGE}&limit=${PAGE}`,
    },
    {
      name: name('begin'),
      title: title('begin of timeline'),
      path: `/operations/${operation}/timeline?limit=${PAGE}`,
    },
    {
      name: name('end'),
      title: title('end of timeline'),
      path: `/operations/${operation}/timeline?limit=${PAGE}&cursor=${cursor}`,
    },
  ];
}

/** What the length of the rest must not change: metrics `<name>Growth` are long over short. */
export const COMPARED = ['newest', 'after', 'begin', 'end'] as const;

export const CASES: readonly Case[] = [...CLIENTS, ...logged('short'), ...logged('long')];
