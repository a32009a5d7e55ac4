import { isIP } from 'node:net';
import {
  readStoreConfig,
  readVariables,
  type StoreConfig,
  throwConfigurationErrors,
  type Variables,
} from '../db/variables.js';
import type { OperationLimits } from '../workflows/contract/operation.js';
import { DEFAULT_LIMITS, RETRY_WINDOW_MS } from './limits.js';

export interface WorkerConfig extends StoreConfig {
  sshKeyFile: string;
  /** its line for `authorized_keys`, for the API and for people */
  sshPublicKeyFile: string;
  limits: OperationLimits;
  retryWindowMs: number;
  /** `smtp://user:password@host:port`; null: mails fail as warnings */
  smtpUrl: string | null;
  mailFrom: string;
  /** addresses that may always read a client's health path; empty: the one that the host's sshd sees */
  checkAddresses: string[];
  metricsAddress: string | null;
}

/** Throws one error that lists everything that is wrong. */
export function readWorkerConfig(variables: Variables): WorkerConfig {
  const errors: string[] = [];
  const read = readVariables(variables, errors);
  const store = readStoreConfig(read, errors, variables);
  const minutes = (name: string, fallbackMs: number, max: number) =>
    read.number(name, { fallback: fallbackMs / 60_000, min: 0, max }) * 60_000;
  const checkAddresses = read.list('CHECK_ADDRESSES');
  for (const address of checkAddresses) {
    if (isIP(address) === 0) errors.push(`CHECK_ADDRESSES: "${address}" is not an address`);
  }
  const config: WorkerConfig = {
    ...store,
    sshKeyFile: read.text('SSH_KEY_FILE', `${store.dataDir}/ssh/id_ed25519`),
    sshPublicKeyFile: read.text('SSH_PUBLIC_KEY_FILE', `${store.dataDir}/ssh/id_ed25519.pub`),
    limits: {
      ...DEFAULT_LIMITS,
      holdWindowMs: minutes('HOLD_WINDOW_MINUTES', DEFAULT_LIMITS.holdWindowMs, 43_200),
    },
    retryWindowMs: minutes('RETRY_WINDOW_MINUTES', RETRY_WINDOW_MS, 1_440),
    smtpUrl: read.value('SMTP_URL') ?? null,
    mailFrom: read.text('MAIL_FROM', 'slipway@localhost.localdomain', /^[^\s@]+@[^\s@]+$/),
    checkAddresses,
    metricsAddress: read.value('WORKER_METRICS_ADDRESS') ?? null,
  };
  throwConfigurationErrors(errors);
  return config;
}
