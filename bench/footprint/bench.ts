import { mkdtemp, chmod, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { type Closers, log, observe, withClosers, writeResult } from '../benchmark.js';
import { DURABILITY, packageVersions } from '../environment.js';
import { type Api, type Services, startApiProcess, startServices, startWorkerProcess } from '../services.js';
import type { Process } from '../processes.js';
import { HELD, holdBare, holdOperations } from './held-operations.js';
import { memoryOf, memoryOfTree } from './memory.js';
import { type Memory, metricsOf, printFigures, type Round } from './report.js';
import { startBareWorker, startSingle } from './starts.js';

/** What a start or a burst leaves behind is mostly collected by then. */
const SETTLE_MS = 5_000;
/** The first failure holds: nobody waits ten minutes for a server that is not there. */
const NO_RETRIES = { RETRY_WINDOW_MINUTES: '0' };
const BARE_QUEUE = 'bare';

/** B9: memory idle and with fifty operations that hold, and the time until ready, beside a bare worker. */
export async function benchFootprint({ repeats }: { repeats: number }): Promise<void> {
  await withClosers(async (closers) => {
    const dir = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
    closers.push(() => rm(dir, { recursive: true, force: true }));
    await chmod(dir, 0o711);
    const cold = await startSingle(dir);
    log(`first start, with an empty data directory: ${cold.readyMs.toFixed(0)} ms`);
    const rounds: Round[] = [];
    const { environment } = await observe({
      repeats,
      versions: await packageVersions('@temporalio/worker'),
      durability: DURABILITY,
      measure: async () => {
        for (let round = 0; round < repeats; round += 1) {
          rounds.push(await takeRound(dir, round, closers));
          log(`round ${round + 1} of ${repeats}`);
        }
      },
    });
    printFigures(rounds, cold, environment);
    await writeResult({ name: 'footprint', environment, metrics: metricsOf(rounds, cold) });
  });
}

/** Everything anew, so that no round has the last one's operations. */
function takeRound(dir: string, round: number, outer: Closers): Promise<Round> {
  const own: Closers = [];
  const close = async () => {
    for (const closer of own.splice(0).toReversed()) await closer();
  };
  outer.push(close);
  return measureRound(dir, round, own).finally(close);
}

async function measureRound(dir: string, round: number, closers: Closers): Promise<Round> {
  const single = await startSingle(dir);
  const services = await startServices(() => undefined, closers);
  const api = await startApiProcess({ services, closers });
  const starts = [
    async () => {
      const began = performance.now();
      const worker = await startWorkerProcess({ services, closers, variables: NO_RETRIES });
      return { worker, workerReadyMs: performance.now() - began };
    },
    async () => {
      const { process, readyMs } = await startBareWorker(services.dir, services.temporal.address);
      closers.push(() => process.stop());
      return { bare: process, bareReadyMs: readyMs };
    },
  ];
  // one after the other, each first in every second round
  const parts = {} as { worker: Process; workerReadyMs: number; bare: Process; bareReadyMs: number };
  for (const start of round % 2 === 0 ? starts : starts.toReversed()) Object.assign(parts, await start());
  const { worker, bare, workerReadyMs, bareReadyMs } = parts;
  const read = () => readMemory({ services, api, worker, bare });
  await delay(SETTLE_MS);
  const idle = await read();
  const connection = await Connection.connect({ address: services.temporal.address });
  closers.push(() => connection.close());
  await holdBare(new Client({ connection }), BARE_QUEUE);
  await holdOperations(services, api);
  await delay(SETTLE_MS);
  const holding = await read();
  log(`${HELD} operations hold`);
  return { single, workerReadyMs, bareReadyMs, idle, holding };
}

interface Running {
  services: Services;
  api: Api;
  worker: Process;
  bare: Process;
}

async function readMemory({ services: { temporal, postgres }, api, worker, bare }: Running): Promise<Memory> {
  return {
    api: await memoryOf(api.pid),
    worker: await memoryOf(worker.pid),
    bareWorker: await memoryOf(bare.pid),
    temporal: await memoryOf(temporal.pid),
    postgres: await memoryOfTree(postgres.pid),
  };
}
