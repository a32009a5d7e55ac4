import { exitWith, stopOnSignals } from '../process/stop-signals.js';
import { readWorkerConfig } from './config.js';
import { startWorker } from './run-worker.js';

async function main(): Promise<void> {
  const worker = startWorker(readWorkerConfig(process.env));
  stopOnSignals(() => worker.close());
  await worker.ended;
}

main().catch(exitWith);
