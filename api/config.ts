import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import {
  readStoreConfig,
  readVariables,
  type StoreConfig,
  throwConfigurationErrors,
  type VariableReader,
  type Variables,
} from '../process/variables.js';
import { canonicalNetwork } from './http/fields.js';
import type { RateLimits } from './http/rate-bounds.js';

export interface ApiConfig extends StoreConfig {
  host: string;
  port: number;
  tls: { certFile: string; keyFile: string } | null;
  adminUser: string;
  adminPassword: string | null;
  /** networks that administrators may come from; empty = any */
  adminAddresses: string[];
  trustedProxies: string[];
  panelOrigins: string[];
  sshPublicKeyFile: string;
  sshTofu: boolean;
  product: string;
  templatesDir: string;
  backupKeepDays: number;
  moveKeepDays: number;
  rateLimits: RateLimits;
}

/**
 * Reads the configuration from environment variables; any may come as `NAME_FILE` instead. Throws one error that
 * lists everything that is wrong.
 */
export function readConfig(variables: Variables): ApiConfig {
  const errors: string[] = [];
  const read = readVariables(variables, errors);
  const store = readStoreConfig(read, errors, variables);
  const config: ApiConfig = {
    ...store,
    host: read.text('HOST', '127.0.0.1'),
    port: read.number('PORT', { fallback: 8080, min: 0, max: 65_535 }),
    tls: readTls(read, errors),
    adminUser: read.text('ADMIN_USER', 'admin', /^[A-Za-z0-9._@-]{1,64}$/),
    adminPassword: read.value('ADMIN_PASSWORD') ?? null,
    adminAddresses: readNetworks(read, errors, 'ADMIN_ADDRESSES'),
    trustedProxies: readNetworks(read, errors, 'TRUSTED_PROXIES'),
    panelOrigins: readOrigins(read, errors, 'PANEL_ORIGINS'),
    sshPublicKeyFile: read.text('SSH_PUBLIC_KEY_FILE', `${store.dataDir}/ssh/id_ed25519.pub`),
    sshTofu: read.flag('SSH_TOFU', true),
    product: read.text('PRODUCT', 'laravel', /^[a-z][a-z0-9-]{0,40}$/),
    templatesDir: read.text('TEMPLATES_DIR', 'templates'),
    // 30: a month is how long customers take to notice
    backupKeepDays: read.number('BACKUP_KEEP_DAYS', { fallback: 30, min: 1, max: 3650 }),
    // 7: DNS has followed by then, and whoever misses something has looked
    moveKeepDays: read.number('MOVE_KEEP_DAYS', { fallback: 7, min: 1, max: 365 }),
    rateLimits: readRateLimits(read),
  };
  const plain = config.tls === null && !read.flag('BEHIND_TLS', false);
  if (config.production && plain && !isLoopback(config.host)) {
    errors.push(
      `HOST ${config.host} is not loopback: set TLS_CERT and TLS_KEY, or BEHIND_TLS=true behind a proxy with TLS`,
    );
  }
  throwConfigurationErrors(errors);
  return config;
}

/** Each process counts for itself. */
function readRateLimits(read: VariableReader): RateLimits {
  const bound = (name: string, fallback: number) => read.number(name, { fallback, min: 1, max: 1_000_000 });
  return {
    // 6000: a panel that asks for the logs of a hundred clients each second
    requests: bound('RATE_LIMIT', 6_000),
    // 300: a fleet's worth of clicks in a minute; half an hour of it fills a run, which takes 10,000 signals
    changes: bound('RATE_LIMIT_CHANGES', 300),
    // 30: enough for setting up a fleet, too few for scanning a network
    checks: bound('RATE_LIMIT_CHECKS', 30),
    // 600: probes of a few orchestrators each second; as wrong passwords two fifths of one core
    strangers: bound('RATE_LIMIT_STRANGERS', 600),
  };
}

function readTls(read: VariableReader, errors: string[]): ApiConfig['tls'] {
  const certFile = read.value('TLS_CERT');
  const keyFile = read.value('TLS_KEY');
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile };
  if (certFile !== undefined || keyFile !== undefined) errors.push('TLS_CERT and TLS_KEY go together');
  return null;
}

function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  return isIP(host) !== 0 && ipaddr.process(host).range() === 'loopback';
}

function readNetworks(read: VariableReader, errors: string[], name: string): string[] {
  return read.list(name).map((entry) => {
    const network = canonicalNetwork(entry);
    if (network === null) errors.push(`${name}: "${entry}" is not an address or network`);
    return network ?? entry;
  });
}

function readOrigins(read: VariableReader, errors: string[], name: string): string[] {
  return read.list(name).map((entry) => {
    const valid =
      URL.canParse(entry) && /^https?:$/.test(new URL(entry).protocol) && new URL(entry).origin === entry;
    if (!valid) errors.push(`${name}: "${entry}" is not an origin such as https://panel.example.test`);
    return entry;
  });
}
