import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pollUntil } from '../../process/poll.js';

const PASSWORD = 'a long test password';

export interface ApiProcess {
  url: string;
  pid: number;
  call(
    method: string,
    path: string,
    init?: { json?: unknown; headers?: Record<string, string> },
  ): Promise<Response>;
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
  /** exit code, or null of one that was killed */
  exited: Promise<number | null>;
  stop(): Promise<void>;
}

/** The API as it runs in production: a process of its own. Answers once it has its schema and its administrator. */
export async function startApiProcess(options: {
  databaseUrl: string;
  temporalAddress: string;
  taskQueue: string;
}): Promise<ApiProcess> {
  const dir = await mkdtemp(join(tmpdir(), 'slipway-api-'));
  const main = new URL('../../api/main.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, ['--import', 'tsx', main], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      PORT: '0',
      DATA_DIR: dir,
      DATABASE_URL: options.databaseUrl,
      TEMPORAL_ADDRESS: options.temporalAddress,
      TEMPORAL_TASK_QUEUE: options.taskQueue,
      SECRET_KEY: 'test key of sufficient length',
      ADMIN_PASSWORD: PASSWORD,
      PRODUCT: 'sample',
    },
  });
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  let url = '';
  createInterface({ input: child.stdout }).on('line', (line) => {
    url ||= /"url":"([^"]+)"/.exec(line)?.[1] ?? '';
  });
  const authorization = `Basic ${Buffer.from(`admin:${PASSWORD}`).toString('base64')}`;
  const call: ApiProcess['call'] = (method, path, { json, headers = {} } = {}) =>
    fetch(url + path, {
      method,
      headers: {
        authorization,
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });
  await pollUntil({
    what: 'the API serves',
    deadlineMs: 60_000,
    probe: async () => (url !== '' && (await call('GET', '/operations')).status === 200) || undefined,
  });
  return {
    url,
    pid: child.pid ?? 0,
    call,
    kill: (signal) => void child.kill(signal),
    exited,
    async stop() {
      child.kill('SIGKILL');
      await exited;
      await rm(dir, { recursive: true, force: true });
    },
  };
}
