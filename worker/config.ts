import { isIP } from 'node:net';
import { isMailAddress } from '../activities/mail/address.js';
import {
  readStoreConfig,
  readVariables,
  type StoreConfig,
  throwConfigurationErrors,
  type Variables,
} from '../process/variables.js';
import type { OperationLimits } from '../workflows/contract/operation/operation.js';
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
  /** who is told of holds, what could not be undone, and the like; null: nobody this way */
  notices: { to: string | null; webhook: string | null; publicUrl: string | null };
  /** addresses that may always read a client's health path; empty: the one that the host's sshd sees */
  checkAddresses: string[];
  /** the certificate authority of servers with `tls=auto` */
  acme: { directory: string | null; email: string | null };
  /** hour of a client's day at which reminders of its licence go out */
  expiryHour: number;
  /** days between the end of a licence and the lock */
  graceDays: number;
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
      gateWaitMs: minutes('GATE_WAIT_MINUTES', DEFAULT_LIMITS.gateWaitMs, 1_440),
      busyWaitMs: minutes('BUSY_WAIT_MINUTES', DEFAULT_LIMITS.busyWaitMs, 1_440),
    },
    retryWindowMs: minutes('RETRY_WINDOW_MINUTES', RETRY_WINDOW_MS, 1_440),
    smtpUrl: read.value('SMTP_URL') ?? null,
    mailFrom: read.text('MAIL_FROM', 'slipway@localhost.localdomain', /^[^\s@]+@[^\s@]+$/),
    notices: readNotices(read, errors),
    checkAddresses,
    acme: readAcme(read, errors),
    // 9: whoever has to pay is at work, and has the day before him
    expiryHour: read.number('EXPIRY_HOUR', { fallback: 9, min: 0, max: 23 }),
    // 0: a licence ends when it ends
    graceDays: read.number('GRACE_DAYS', { fallback: 0, min: 0, max: 365 }),
    metricsAddress: read.value('WORKER_METRICS_ADDRESS') ?? null,
  };
  throwConfigurationErrors(errors);
  return config;
}

function readAcme(read: ReturnType<typeof readVariables>, errors: string[]): WorkerConfig['acme'] {
  const directory = read.value('ACME_DIRECTORY') ?? null;
  const good = directory === null || (URL.canParse(directory) && new URL(directory).protocol === 'https:');
  if (!good) errors.push('ACME_DIRECTORY must be an https address');
  const email = read.value('ACME_EMAIL') ?? null;
  if (email !== null && !isMailAddress(email)) errors.push('ACME_EMAIL must be a mail address');
  return { directory, email };
}

function readNotices(read: ReturnType<typeof readVariables>, errors: string[]): WorkerConfig['notices'] {
  const to = read.value('NOTICE_EMAIL') ?? null;
  if (to !== null && !isMailAddress(to)) errors.push('NOTICE_EMAIL must be a mail address');
  const url = (name: string): string | null => {
    const value = read.value(name) ?? null;
    const good = value === null || (URL.canParse(value) && /^https?:$/.test(new URL(value).protocol));
    if (!good) errors.push(`${name} must be an http or https address`);
    return value;
  };
  return { to, webhook: url('NOTICE_WEBHOOK'), publicUrl: url('PUBLIC_URL')?.replace(/\/+$/, '') ?? null };
}
