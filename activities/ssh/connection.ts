import { connect as connectSocket } from 'node:net';
import ssh2 from 'ssh2';
import { hostKeyMismatch } from './errors.js';
import { fingerprint } from './keys.js';
import type { SshSettings } from './settings.js';

export interface Connection {
  /** An exec channel; its command waits for its standard input, so until that is written nothing has run. */
  open(command: string): Promise<ssh2.ClientChannel>;
  /** why no more channels can be opened, or null */
  lost(): Error | null;
  onLost(listener: () => void): void;
  end(): void;
}

export interface ConnectOptions {
  host: string;
  port: number;
  user: string;
  hostKey: string | null;
  privateKey: string;
  settings: SshSettings;
}

export function describe({ host, port, user }: { host: string; port: number; user: string }): string {
  return `${user}@${host}${port === 22 ? '' : `:${port}`}`;
}

// No diffie-hellman-group-exchange: against old servers it blocked the event loop for 10 to 20 s.
const KEY_EXCHANGES: ssh2.KexAlgorithm[] = [
  'curve25519-sha256',
  'curve25519-sha256@libssh.org',
  'ecdh-sha2-nistp256',
  'ecdh-sha2-nistp384',
  'ecdh-sha2-nistp521',
  'diffie-hellman-group14-sha256',
  'diffie-hellman-group16-sha512',
  'diffie-hellman-group18-sha512',
];

// A fixed order: a host has several keys, and the pinned one must be the one that is asked for.
const HOST_KEYS: ssh2.ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
];

/** Logs in with the key only (no agent, no password), and only when the host shows the pinned key. Errors are raw. */
export function connect(options: ConnectOptions): Promise<Connection> {
  const where = describe(options);
  if (options.hostKey === null) return Promise.reject(hostKeyMismatch(where, null, 'none yet'));
  return dial<Connection>(options, {
    verify: (seen) => (seen === options.hostKey ? null : hostKeyMismatch(where, options.hostKey, seen)),
    ready: (client, watch) => ({
      ...watch,
      open: (command) => openExec(client, command),
      end: () => client.end(),
    }),
  });
}

/** The fingerprint that the host shows now; the connection is given up before any login. */
export async function lookAtHostKey(options: Omit<ConnectOptions, 'hostKey'>): Promise<string> {
  let seen: string | null = null;
  const stop = new Error('looked at');
  try {
    await dial(
      { ...options, hostKey: null },
      {
        verify: (shown) => {
          seen = shown;
          return stop;
        },
        ready: () => null,
      },
    );
  } catch (error) {
    if (error !== stop) throw error;
  }
  if (seen === null) throw new Error('a handshake without a host key');
  return seen;
}

interface Handshake<T> {
  /** an error refuses the host */
  verify(seen: string): Error | null;
  ready(client: ssh2.Client, watch: Pick<Connection, 'lost' | 'onLost'>): T;
}

function dial<T>(options: ConnectOptions, { verify, ready }: Handshake<T>): Promise<T> {
  const { host, port, user, privateKey, settings } = options;
  // ssh2 leaves Nagle's algorithm on, which makes an exec twenty times slower.
  const socket = connectSocket({ host, port, noDelay: true });
  const client = new ssh2.Client();
  const listeners: (() => void)[] = [];
  let lost: Error | null = null;
  return new Promise<T>((resolve, reject) => {
    let refusal: Error | null = null;
    const fail = (error: Error) => {
      if (lost) return;
      lost = refusal ?? error;
      clearTimeout(timer);
      socket.destroy();
      reject(lost);
      for (const listener of listeners) listener();
    };
    // One deadline over resolver, socket and login: ssh2's own begins only with the handshake.
    const timer = setTimeout(() => fail(timeoutError()), settings.connectTimeoutMs);
    client.on('error', fail);
    client.on('close', () => fail(new Error('Connection lost')));
    client.on('end', () => fail(new Error('Connection lost')));
    client.on('ready', () => {
      clearTimeout(timer);
      resolve(ready(client, { lost: () => lost, onLost: (listener) => listeners.push(listener) }));
    });
    const hostVerifier = (key: Buffer) => {
      refusal = verify(fingerprint(key));
      return refusal === null;
    };
    client.connect({
      sock: socket,
      username: user,
      privateKey,
      hostVerifier,
      authHandler: ['publickey'],
      algorithms: { kex: KEY_EXCHANGES, serverHostKey: HOST_KEYS },
      readyTimeout: settings.connectTimeoutMs,
      keepaliveInterval: settings.keepaliveIntervalMs,
      keepaliveCountMax: settings.keepaliveUnanswered,
    });
  });
}

function timeoutError(): Error {
  return Object.assign(new Error('Timed out while waiting for handshake'), { level: 'client-timeout' });
}

function openExec(client: ssh2.Client, command: string): Promise<ssh2.ClientChannel> {
  return new Promise((resolve, reject) => {
    // throws "Not connected" when the socket is gone: the promise rejects
    client.exec(command, (error, channel) => (error ? reject(error) : resolve(channel)));
  });
}
