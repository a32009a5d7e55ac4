import { readFileSync } from 'node:fs';
import { TASK_QUEUE } from '../workflows/contract/operation/operation.js';

export type Variables = Record<string, string | undefined>;

export type VariableReader = ReturnType<typeof readVariables>;

/** Reads environment variables; any may come as `NAME_FILE` instead. What is wrong gathers in `errors`. */
export function readVariables(variables: Variables, errors: string[]) {
  const value = (name: string): string | undefined => {
    const file = variables[`${name}_FILE`];
    const direct = variables[name];
    if (file === undefined || file === '') return direct === '' ? undefined : direct;
    if (direct !== undefined && direct !== '') errors.push(`${name} and ${name}_FILE are both set`);
    try {
      return readFileSync(file, 'utf8').trim();
    } catch (error) {
      errors.push(`${name}_FILE: cannot read ${file} (${(error as NodeJS.ErrnoException).code ?? 'error'})`);
      return undefined;
    }
  };
  return {
    value,
    text(name: string, fallback: string, shape?: RegExp): string {
      const found = value(name) ?? fallback;
      if (shape !== undefined && !shape.test(found)) errors.push(`${name} must match ${shape.source}`);
      return found;
    },
    required(name: string, shape: RegExp, what: string): string {
      const found = value(name);
      if (found === undefined) errors.push(`${name} is required: ${what}`);
      else if (!shape.test(found)) errors.push(`${name} must be ${what}`);
      return found ?? '';
    },
    number(name: string, { fallback, min, max }: { fallback: number; min: number; max: number }): number {
      const found = value(name);
      if (found === undefined) return fallback;
      const parsed = /^\d{1,9}$/.test(found) ? Number(found) : Number.NaN;
      if (parsed >= min && parsed <= max) return parsed;
      errors.push(`${name} must be a whole number from ${min} to ${max}`);
      return fallback;
    },
    flag(name: string, fallback: boolean): boolean {
      const found = value(name);
      if (found === undefined) return fallback;
      if (found !== 'true' && found !== 'false') errors.push(`${name} must be true or false`);
      return found === 'true';
    },
    list(name: string): string[] {
      return (value(name) ?? '')
        .split(',')
        .map((entry) => entry.trim())
        .filter((entry) => entry !== '');
    },
  };
}

/** One error that lists everything that is wrong with a configuration. */
export function throwConfigurationErrors(errors: readonly string[]): void {
  if (errors.length === 0) return;
  throw new Error(`Configuration:\n${errors.map((error) => `  - ${error}`).join('\n')}`);
}

export interface StoreConfig {
  production: boolean;
  /** keys and generated secrets of this installation */
  dataDir: string;
  databaseUrl: string;
  databasePool: number;
  /** null outside of production: made once and kept in `dataDir` */
  secretKey: string | null;
  temporal: { address: string; namespace: string; taskQueue: string; tls: boolean };
  logLevel: string;
}

/** What API and worker share: where records, secrets and workflows are. */
export function readStoreConfig(read: VariableReader, errors: string[], variables: Variables): StoreConfig {
  const production = variables['NODE_ENV'] === 'production';
  const secretKey = read.value('SECRET_KEY') ?? null;
  if (production && secretKey === null) errors.push('SECRET_KEY is required in production');
  if (secretKey !== null && secretKey.length < 16) errors.push('SECRET_KEY must have at least 16 characters');
  return {
    production,
    dataDir: read.text('DATA_DIR', '.slipway'),
    databaseUrl: read.required('DATABASE_URL', /^postgres(ql)?:\/\//, 'a postgres:// address'),
    // 10: one process serves hundreds of requests a second from it, and Postgres allows 100 by default
    databasePool: read.number('DATABASE_POOL', { fallback: 10, min: 1, max: 100 }),
    secretKey,
    temporal: {
      address: read.text('TEMPORAL_ADDRESS', '127.0.0.1:7233'),
      namespace: read.text('TEMPORAL_NAMESPACE', 'default'),
      taskQueue: read.text('TEMPORAL_TASK_QUEUE', TASK_QUEUE),
      tls: read.flag('TEMPORAL_TLS', false),
    },
    logLevel: read.text('LOG_LEVEL', 'info', /^(trace|debug|info|warn|error|fatal|silent)$/),
  };
}
