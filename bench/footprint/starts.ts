import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../process/free-port.js';
import { type Process, startProcess, untilLogged } from '../processes.js';
import { memoryOf } from './memory.js';

export interface Start {
  readyMs: number;
  mb: number;
}

/** What `npm start` runs, from its start until everything of it is ready, in a data directory of its own. */
export async function startSingle(dir: string): Promise<Start> {
  const dataDir = join(dir, 'single');
  await mkdir(dataDir, { recursive: true, mode: 0o711 });
  const ports = await Promise.all(Array.from({ length: 4 }, () => freePort()));
  const [port, postgres, temporal, ui] = ports.map(String) as [string, string, string, string];
  const variables = {
    DATA_DIR: dataDir,
    PORT: port,
    POSTGRES_PORT: postgres,
    TEMPORAL_PORT: temporal,
    TEMPORAL_UI_PORT: ui,
    PRODUCT: 'sample',
  };
  // the line that it prints last but some
  const { process, readyMs } = await startTimed({
    dir,
    entry: 'start/main.ts',
    variables,
    words: '(docs at',
  });
  try {
    return { readyMs, mb: await memoryOf(process.pid) };
  } finally {
    await process.stop();
  }
}

export async function startBareWorker(
  dir: string,
  address: string,
): Promise<{ process: Process; readyMs: number }> {
  const variables = { TEMPORAL_ADDRESS: address };
  const entry = 'bench/footprint/bare-worker.ts';
  return startTimed({ dir, entry, variables, words: 'bare worker is ready' });
}

interface StartTimed {
  dir: string;
  entry: string;
  variables: Record<string, string>;
  words: string;
}

async function startTimed({ dir, entry, variables, words }: StartTimed) {
  const logFile = join(dir, `start-${randomBytes(4).toString('hex')}.log`);
  const began = performance.now();
  const process = await startProcess({ entry, logFile, variables });
  try {
    await untilLogged({ pid: process.pid, logFile, words });
  } catch (error) {
    await process.stop();
    throw error;
  }
  return { process, readyMs: performance.now() - began };
}
