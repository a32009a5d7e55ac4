import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../process/log.js';
import type { ApiClient, Fields } from './api-client.js';

interface CheckHost {
  ready: boolean;
  server_id: number | null;
  lines: { key: string; level: 'ok' | 'warning' | 'error'; found: string; need: string; fix: string }[];
}

interface CreateLog {
  log: { seq: number; time: string; message: string; level: string }[];
  completed: null | 'ok' | 'error';
  error?: string;
}

const MARKS = { ok: '  ok   ', warning: '  warn ', error: '  MISS ' };
/** Each is awaited for 5 s by the API; a worker that has just started on a busy machine may miss the first ones. */
const CHECK_TRIES = 6;
/** Quick enough to read along, and nothing beside what an operation costs. */
const FOLLOW_MS = 100;
/** nginx answers at once; a container that was just started may take a moment. */
const PAGE_MS = 10_000;

/** `POST /servers/check_host/{host}`: prints each requirement; throws when one is missing. Answers a known server's id. */
export async function checkHost(
  api: ApiClient,
  host: string,
  fields: Fields,
  log: Log,
): Promise<number | null> {
  const report = await askPatiently(() => api.post<CheckHost>(`/servers/check_host/${host}`, fields));
  for (const { key, level, found, need, fix } of report.lines) {
    log(`${MARKS[level]}${key.padEnd(34)} ${level === 'ok' ? firstLine(found) : `needs ${need}; ${fix}`}`);
  }
  if (report.ready) return report.server_id;
  const missing = report.lines.filter(({ level }) => level === 'error').map(({ key }) => key);
  throw new Error(`server ${host} is not ready: ${missing.join(', ')}`);
}

async function askPatiently<T>(ask: () => Promise<T>, tries = CHECK_TRIES): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (tries === 1 || !String(error).includes(': 503 ')) throw error;
    return askPatiently(ask, tries - 1);
  }
}

/** The form-data of `POST /clients/` with every field that the API documents. */
export function demoClient(serverId: number, versionTag: string): Fields {
  return {
    server_id: String(serverId),
    name: 'Demo laboratory',
    short_name: 'demo',
    admin_f: 'Doe',
    admin_i: 'Jane',
    admin_o: 'Q',
    admin_login: 'jane',
    password: randomBytes(9).toString('base64url'),
    subdomain: `demo-${Date.now().toString(36)}`,
    email: 'jane@example.test',
    phone: '+1 555 0100',
    city: 'Springfield',
    timezone: 'Europe/London',
    version_tag: versionTag,
    allowed_ips: '[]',
    config: 'demo',
    license: 'demo',
    license_expires_at: `${new Date().getFullYear() + 1}-12-31 00:00:00`,
  };
}

/** Prints the createlog as it grows; throws when the create ends with an error. */
export async function followCreateLog(api: ApiClient, id: number, log: Log): Promise<void> {
  for (let after = 0; ; ) {
    const {
      log: lines,
      completed,
      error,
    } = await api.get<CreateLog>(`/clients/${id}/createlog?after=${after}`);
    for (const line of lines) {
      log(`  ${line.time.slice(11, 23)}  ${line.level === 'info' ? '' : `${line.level}: `}${line.message}`);
      after = line.seq;
    }
    if (completed === 'ok') return;
    if (completed === 'error')
      throw new Error(`client ${id} was not created: ${error ?? 'see its createlog'}`);
    await delay(FOLLOW_MS);
  }
}

export interface Page {
  status: number;
  body: string;
}

/** `GET url` from the nginx at `address`; `fetch` drops a given Host header, which names the client. */
export function fetchPage(address: string, url: string): Promise<Page> {
  const { hostname, pathname } = new URL(url);
  return new Promise((resolve, reject) => {
    const options = { host: address, path: pathname, headers: { host: hostname } };
    const signal = AbortSignal.timeout(PAGE_MS);
    const ask = request({ ...options, signal }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
      });
    });
    ask.on('error', reject);
    ask.end();
  });
}

function firstLine(text: string): string {
  return text.split('\n')[0]?.slice(0, 100) ?? '';
}
