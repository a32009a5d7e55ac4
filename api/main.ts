import { ensureSecretKey } from '../db/secret-key.js';
import { exitWith, stopOnSignals } from '../process/stop-signals.js';
import { readConfig } from './config.js';
import { startApi } from './server.js';

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const api = await startApi(config, await ensureSecretKey(config));
  stopOnSignals(() => api.close());
}

main().catch(exitWith);
