import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { TASK_QUEUE } from '../workflows/contract/operation.js';
import { canonicalNetwork } from './fields.js';

export interface ApiConfig {
  production: boolean;
  host: string;
  port: number;
  tls: { certFile: string; keyFile: string } | null;
  databaseUrl: string;
  databasePool: number;
  temporal: { address: string; namespace: string; taskQueue: string; tls: boolean };
  /** null outside of production: made once and kept in `dataDir` */
  secretKey: string | null;
  adminUser: string;
  adminPassword: string | null;
  /** networks that administrators may come from; empty = any */
  adminAddresses: string[];
  trustedProxies: string[];
  panelOrigins: string[];
  dataDir: string;
  sshPublicKeyFile: string;
  sshTofu: boolean;
  product: string;
  templatesDir: string;
  backupKeepDays: number;
  logLevel: string;
}

type Variables = Record<string, string | undefined>;

/**
 * Reads the configuration from environment variables; any may come as `NAME_FILE` instead. Throws one error that
 * lists everything that is wrong.
 */
export function readConfig(variables: Variables): ApiConfig {
  const errors: string[] = [];
  const read = reader(variables, errors);
  const production = variables['NODE_ENV'] === 'production';
  const dataDir = read.text('DATA_DIR', '.slipway');
  const config: ApiConfig = {
    production,
    host: read.text('HOST', '127.0.0.1'),
    port: read.number('PORT', { fallback: 8080, min: 0, max: 65_535 }),
    tls: readTls(read, errors),
    databaseUrl: read.required('DATABASE_URL', /^postgres(ql)?:\/\//, 'a postgres:// address'),
    // 10: one process serves hundreds of requests a second from it, and Postgres allows 100 by default
    databasePool: read.number('DATABASE_POOL', { fallback: 10, min: 1, max: 100 }),
    temporal: {
      address: read.text('TEMPORAL_ADDRESS', '127.0.0.1:7233'),
      namespace: read.text('TEMPORAL_NAMESPACE', 'default'),
      taskQueue: read.text('TEMPORAL_TASK_QUEUE', TASK_QUEUE),
      tls: read.flag('TEMPORAL_TLS', false),
    },
    secretKey: read.value('SECRET_KEY') ?? null,
    adminUser: read.text('ADMIN_USER', 'admin', /^[A-Za-z0-9._@-]{1,64}$/),
    adminPassword: read.value('ADMIN_PASSWORD') ?? null,
    adminAddresses: read.networks('ADMIN_ADDRESSES'),
    trustedProxies: read.networks('TRUSTED_PROXIES'),
    panelOrigins: read.origins('PANEL_ORIGINS'),
    dataDir,
    sshPublicKeyFile: read.text('SSH_PUBLIC_KEY_FILE', `${dataDir}/ssh/id_ed25519.pub`),
    sshTofu: read.flag('SSH_TOFU', true),
    product: read.text('PRODUCT', 'laravel', /^[a-z][a-z0-9-]{0,40}$/),
    templatesDir: read.text('TEMPLATES_DIR', 'templates'),
    // 30: a month is how long customers take to notice
    backupKeepDays: read.number('BACKUP_KEEP_DAYS', { fallback: 30, min: 1, max: 3650 }),
    logLevel: read.text('LOG_LEVEL', 'info', /^(trace|debug|info|warn|error|fatal|silent)$/),
  };
  if (production && config.secretKey === null) errors.push('SECRET_KEY is required in production');
  if (config.secretKey !== null && config.secretKey.length < 16)
    errors.push('SECRET_KEY must have at least 16 characters');
  const plain = config.tls === null && !read.flag('BEHIND_TLS', false);
  if (production && plain && !isLoopback(config.host)) {
    errors.push(
      `HOST ${config.host} is not loopback: set TLS_CERT and TLS_KEY, or BEHIND_TLS=true behind a proxy with TLS`,
    );
  }
  if (errors.length > 0)
    throw new Error(`Configuration:\n${errors.map((error) => `  - ${error}`).join('\n')}`);
  return config;
}

function readTls(read: Reader, errors: string[]): ApiConfig['tls'] {
  const certFile = read.value('TLS_CERT');
  const keyFile = read.value('TLS_KEY');
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile };
  if (certFile !== undefined || keyFile !== undefined) errors.push('TLS_CERT and TLS_KEY go together');
  return null;
}

export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  return isIP(host) !== 0 && ipaddr.process(host).range() === 'loopback';
}

type Reader = ReturnType<typeof reader>;

function reader(variables: Variables, errors: string[]) {
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
  const list = (name: string): string[] =>
    (value(name) ?? '')
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '');
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
    networks(name: string): string[] {
      return list(name).map((entry) => {
        const network = canonicalNetwork(entry);
        if (network === null) errors.push(`${name}: "${entry}" is not an address or network`);
        return network ?? entry;
      });
    },
    origins(name: string): string[] {
      return list(name).map((entry) => {
        const valid =
          URL.canParse(entry) && /^https?:$/.test(new URL(entry).protocol) && new URL(entry).origin === entry;
        if (!valid) errors.push(`${name}: "${entry}" is not an origin such as https://panel.example.test`);
        return entry;
      });
    },
  };
}
