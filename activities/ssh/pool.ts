import { setTimeout as delay } from 'node:timers/promises';
import pLimit, { type LimitFunction } from 'p-limit';
import type { ClientChannel } from 'ssh2';
import { failure } from '../../workflows/contract/operation/failures.js';
import { type Connection, connect, describe, lookAtHostKey } from './connection.js';
import { isChannelRefusal, isDroppedHandshake, mapSshError } from './errors.js';
import { createLanes, type LaneKind, type Lanes } from './lanes.js';
import type { SshSettings } from './settings.js';
import type { SshTarget } from './types.js';

type Address = Pick<SshTarget, 'host' | 'port' | 'user' | 'hostKey'>;

interface Host {
  address: Address;
  lanes: Lanes;
  connection: Promise<Connection> | null;
  idle: NodeJS.Timeout | null;
}

export interface ChannelWish {
  target: SshTarget;
  kind: LaneKind;
  command: string;
  signal?: AbortSignal | undefined;
}

export interface Pool {
  /** A channel on the host's one connection; its lane is free again when the channel has closed. */
  open(wish: ChannelWish): Promise<ClientChannel>;
  readHostKey(address: Pick<SshTarget, 'host' | 'port'>, signal?: AbortSignal): Promise<string>;
  close(): Promise<void>;
}

/** One connection per host, port, user and pinned key, made when needed and closed when idle. */
export function createPool({ privateKey, settings }: { privateKey: string; settings: SshSettings }): Pool {
  const hosts = new Map<string, Host>();
  const connects = new Map<string, LimitFunction>();
  let closed = false;

  function hostOf(address: Address): Host {
    const key = JSON.stringify([address.host, address.port, address.user, address.hostKey]);
    const known = hosts.get(key);
    if (known) return known;
    const host: Host = { address, lanes: createLanes(settings), connection: null, idle: null };
    hosts.set(key, host);
    return host;
  }

  function limitOf({ host, port }: Pick<SshTarget, 'host' | 'port'>): LimitFunction {
    const key = `${host} ${port}`;
    const limit = connects.get(key) ?? pLimit(settings.parallelConnects);
    connects.set(key, limit);
    return limit;
  }

  async function dial(address: Address): Promise<Connection> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await limitOf(address)(() => connect({ ...address, privateKey, settings }));
      } catch (error) {
        if (attempt >= settings.connectAttempts || !isDroppedHandshake(error)) throw error;
        // jitter: those who were dropped together must not come back together
        await delay(100 * attempt + Math.random() * 300);
      }
    }
  }

  function connected(host: Host): Promise<Connection> {
    if (closed)
      return Promise.reject(failure('Unavailable', `${describe(host.address)}: Slipway is stopping`));
    if (host.connection) return host.connection;
    const connection = dial(host.address);
    const forget = () => {
      if (host.connection === connection) host.connection = null;
    };
    host.connection = connection;
    connection.then((made) => made.onLost(forget), forget);
    return connection;
  }

  function watchIdle(host: Host): void {
    if (host.lanes.busy() > 0) return;
    if (host.idle) clearTimeout(host.idle);
    host.idle = setTimeout(() => {
      if (host.lanes.busy() > 0) return;
      host.connection?.then((connection) => connection.end(), ignore);
      host.connection = null;
    }, settings.idleMs).unref();
  }

  async function openOnce(host: Host, wish: ChannelWish): Promise<ClientChannel> {
    const connection = await abortable(connected(host), wish.signal, ignore);
    const opening = connection.open(wish.command);
    return abortable(opening, wish.signal, (late) => late.close());
  }

  /** What fails here has run nothing: the command gets its script only after it was opened. */
  async function openPatiently(host: Host, wish: ChannelWish): Promise<ClientChannel> {
    const deadline = Date.now() + settings.laneWaitMs;
    for (let attempt = 1; ; attempt += 1) {
      const reused = host.connection !== null;
      try {
        return await openOnce(host, wish);
      } catch (error) {
        const mapped = mapSshError(error, describe(host.address));
        if (wish.signal?.aborted) throw error;
        const refused = isChannelRefusal(error) && Date.now() < deadline;
        // a pooled connection may have died unnoticed; a fresh one tells whether the host is there
        const stale = reused && attempt === 1 && error instanceof Error && mapped !== error;
        if (!refused && !stale) throw mapped;
        if (refused) await delay(Math.min(20 * attempt, 500) * (0.5 + Math.random()));
      }
    }
  }

  return {
    async open(wish) {
      const host = hostOf(wish.target);
      const { signal } = wish;
      const where = describe(wish.target);
      const release = await host.lanes.take({ kind: wish.kind, waitMs: settings.laneWaitMs, where, signal });
      const leave = () => {
        release();
        watchIdle(host);
      };
      try {
        const channel = await openPatiently(host, wish);
        channel.once('close', leave);
        return channel;
      } catch (error) {
        leave();
        throw error;
      }
    },
    readHostKey(address, signal) {
      const look = () => lookAtHostKey({ ...address, user: 'slipway', privateKey, settings });
      const where = describe({ ...address, user: 'slipway' });
      return abortable(limitOf(address)(look), signal, ignore).catch((error: unknown) => {
        throw mapSshError(error, where);
      });
    },
    async close() {
      closed = true;
      for (const host of hosts.values()) {
        if (host.idle) clearTimeout(host.idle);
        await host.connection?.then((connection) => connection.end(), ignore);
      }
    },
  };
}

function ignore(): void {}

/** Rejects with the signal's reason as soon as it is aborted; what comes too late is handed to `dispose`. */
function abortable<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  dispose: (late: T) => void,
): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      work.then(dispose, ignore);
      reject(signal.reason as Error);
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
