import { resolve } from 'node:path';
import { type ApiConfig, readConfig } from '../api/config.js';
import { readVariables, throwConfigurationErrors, type Variables } from '../process/variables.js';
import { readWorkerConfig, type WorkerConfig } from '../worker/config.js';

/** Slipway in one process, with Postgres and Temporal beside it unless `DATABASE_URL` and `TEMPORAL_ADDRESS` name others. */
export interface StartConfig {
  dataDir: string;
  postgresPort: number;
  temporalPort: number;
  temporalUiPort: number;
  ownPostgres: boolean;
  ownTemporal: boolean;
  api: ApiConfig;
  worker: WorkerConfig;
}

/** Stands in for addresses that are known only once the embedded servers run. */
const TO_COME = { DATABASE_URL: 'postgres://slipway@127.0.0.1/slipway' };

/** Throws one error that lists everything that is wrong with any part's configuration. */
export function readStartConfig(variables: Variables): StartConfig {
  const errors: string[] = [];
  const read = readVariables(variables, errors);
  const port = (name: string, fallback: number) => read.number(name, { fallback, min: 1, max: 65_535 });
  const ownPostgres = read.value('DATABASE_URL') === undefined;
  const parts = ownPostgres ? { ...variables, ...TO_COME } : variables;
  const config = {
    dataDir: resolve(read.text('DATA_DIR', '.slipway')),
    // not 5432, where a Postgres of the machine's own commonly is
    postgresPort: port('POSTGRES_PORT', 5433),
    temporalPort: port('TEMPORAL_PORT', 7233),
    temporalUiPort: port('TEMPORAL_UI_PORT', 8233),
    ownPostgres,
    ownTemporal: read.value('TEMPORAL_ADDRESS') === undefined,
  };
  const api = gather(errors, () => readConfig(parts));
  const worker = gather(errors, () => readWorkerConfig(parts));
  throwConfigurationErrors([...new Set(errors)]);
  return { ...config, api: api as ApiConfig, worker: worker as WorkerConfig };
}

/** Adds the lines of one part's error to the others', so that everything is told at once. */
function gather<T>(errors: string[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const lines = (error as Error).message.split('\n').slice(1);
    errors.push(...lines.map((line) => line.replace(/^\s*- /, '')));
    return undefined;
  }
}
