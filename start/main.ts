import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ApiConfig } from '../api/config.js';
import { exitWith, stopOnSignals } from '../process/stop-signals.js';
import type { Variables } from '../process/variables.js';
import { readStartConfig, type StartConfig } from './config.js';
import type { Located } from './parts.js';
import { startPostgres } from './services/postgres.js';
import { isAlive, type ProcessId, processId } from '../process/process-id.js';
import { startTemporal } from './services/temporal.js';
import type { WorkerConfig } from '../worker/config.js';
import { SEARCH_ATTRIBUTES } from '../workflows/contract/search-attributes.js';

type Close = () => Promise<unknown>;

const log = (line: string): void => console.log(line);

/** One Slipway per data directory: two would start one database twice. */
async function claimDataDir(dataDir: string, closers: Close[]): Promise<void> {
  // others may pass, not read: the embedded Postgres runs as a user of its own; every secret in it is 0600
  await mkdir(dataDir, { recursive: true, mode: 0o711 });
  const file = join(dataDir, 'running.json');
  const holder = await readFile(file, 'utf8').then(
    (text) => JSON.parse(text) as ProcessId,
    () => null,
  );
  if (holder !== null && isAlive(holder)) {
    throw new Error(`Slipway runs in ${dataDir} already, as process ${holder.pid}`);
  }
  await writeFile(file, JSON.stringify(processId(process.pid)));
  closers.push(() => rm(file, { force: true }));
}

/** What is not given runs beside, and its address goes into the configuration of both parts. */
async function startServices(config: StartConfig, closers: Close[]): Promise<Located> {
  await claimDataDir(config.dataDir, closers);
  const { dataDir, postgresPort, temporalPort, temporalUiPort } = config;
  const searchAttributes = Object.keys(SEARCH_ATTRIBUTES);
  const services: { stop: Close }[] = [];
  // neither needs the other to end
  closers.push(() => Promise.all(services.map((service) => service.stop())));
  const keep = async <T extends { stop: Close }>(starting: Promise<T>): Promise<T> => {
    const service = await starting;
    services.push(service);
    return service;
  };
  const postgres = config.ownPostgres
    ? keep(startPostgres({ dir: join(dataDir, 'postgres'), persistent: true, port: postgresPort, log }))
    : null;
  const ports = { port: temporalPort, uiPort: temporalUiPort };
  const temporal = config.ownTemporal
    ? keep(startTemporal({ dir: join(dataDir, 'temporal'), ...ports, searchAttributes, log }))
    : null;
  // both have ended or serve before an error of one goes on, so that the closers know them
  await Promise.allSettled([postgres, temporal]);
  const databaseUrl = (await postgres)?.url;
  const address = (await temporal)?.address;
  const located = <T extends ApiConfig | WorkerConfig>(part: T): T => ({
    ...part,
    databaseUrl: databaseUrl ?? part.databaseUrl,
    temporal: { ...part.temporal, address: address ?? part.temporal.address },
  });
  return {
    api: located(config.api),
    worker: located(config.worker),
    uiUrl: (await temporal)?.uiUrl ?? null,
  };
}

async function main(variables: Variables): Promise<void> {
  const config = readStartConfig(variables);
  const closers: Close[] = [];
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= closeAll(closers));
  const services = startServices(config, closers);
  // most of this process' own start is the loading of its two parts, so the services are on their way before it
  const loaded = import('./parts.js');
  // services that are on their way are waited for: the closers know them only then
  stopOnSignals(() => services.catch(() => undefined).then(close));
  try {
    const [{ startParts }, located] = await Promise.all([loaded, services]);
    await startParts({ ...located, dataDir: config.dataDir, log, closers });
  } catch (error) {
    await close();
    throw error;
  }
}

/** The last that was started goes first: the API before the worker, both before what they use. */
async function closeAll(closers: Close[]): Promise<void> {
  for (const close of closers.reverse()) {
    await close().catch((error: unknown) => log(`clean-up: ${String(error)}`));
  }
}

main(process.env).catch(exitWith);
