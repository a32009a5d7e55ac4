import { join } from 'node:path';
import type { ApiConfig } from '../api/config.js';
import { startApi } from '../api/server.js';
import { ensureSecretKey } from '../db/secret-key.js';
import { exitWith } from '../process/stop-signals.js';
import type { WorkerConfig } from '../worker/config.js';
import { startWorker } from '../worker/run-worker.js';
import type { Log } from '../process/log.js';
import { keptBundle } from './workflow-bundle.js';

export interface Located {
  api: ApiConfig;
  worker: WorkerConfig;
  /** null: somebody else's Temporal */
  uiUrl: string | null;
}

interface StartParts extends Located {
  dataDir: string;
  log: Log;
  /** gets what ends each part */
  closers: (() => Promise<unknown>)[];
}

/** API and worker on services that serve already; resolves when both are ready. */
export async function startParts({ api, worker, uiUrl, ...options }: StartParts): Promise<void> {
  const { dataDir, log, closers } = options;
  const running = startWorker(worker, () => keptBundle(join(dataDir, 'workflows')));
  closers.push(() => running.close());
  running.ended.catch(exitWith);
  const server = await startApi(api, await ensureSecretKey(api));
  closers.push(() => server.close());
  await Promise.all([running.ready, server.prepared]);
  log(`API           ${server.url}  (docs at ${server.url}/docs)`);
  if (uiUrl !== null) log(`Temporal      ${uiUrl}`);
  if (api.adminPassword === null) log(`admin login   ${join(api.dataDir, 'admin-password')}`);
  log(`SSH key       ${worker.sshPublicKeyFile}`);
}
