import type { clients, servers } from '../db/schema/index.js';
import type { ChangeRef, ClientChange } from '../workflows/contract/client-change.js';
import { failure, kindOf } from '../workflows/contract/failures.js';
import type { StepContext } from '../workflows/contract/step.js';
import type { Ssh, SshTarget } from './ssh/types.js';

export type Server = typeof servers.$inferSelect;
export type Client = typeof clients.$inferSelect;

export interface OutputChunk {
  job: string;
  /** bytes of the job's output before this chunk */
  offset: number;
  /** bytes of it including this chunk */
  end: number;
  text: string;
}

/** What operations change of clients, by operation (`client_changes`). */
export interface ClientChanges {
  /** undefined: none is recorded */
  get(change: string): Promise<ClientChange | undefined>;
  /** the first ones that are kept stay */
  keepSettings(settings: FormerSettings): Promise<void>;
  /** null: none were kept */
  formerSettings(change: string): Promise<FormerSettings['former'] | null>;
}

export interface FormerSettings {
  change: string;
  clientId: number;
  /** null: it was not there */
  former: Record<string, string | null>;
}

/** What the activities on servers need from the outside. Every `get` and `reveal` of something absent is `NotFound`. */
export interface Connections {
  servers: { get(id: number): Promise<Server> };
  clients: {
    get(id: number): Promise<Client>;
    /** hosts that still pass on what visitors ask under the name that the client has on this server */
    formerHosts(client: { id: number; serverId: number; hostname: string }): Promise<string[]>;
  };
  changes: ClientChanges;
  secrets: { reveal(id: string): Promise<string> };
  ssh: Ssh;
  /** where the raw output of a step's remote commands goes */
  output(step: StepContext): (chunk: OutputChunk) => Promise<void>;
  /** addresses that may ask every client's health path; empty: the address that the host's sshd sees us from */
  checkAddresses: readonly string[];
  /** days between the end of a client's licence and the lock; absent: none */
  graceDays?: number;
  /** Slipway's own line for authorized_keys, for those who set a host up */
  publicKey?: string;
}

/** The client as the operation `change` will leave it; the row itself is changed last. */
export async function changedClient(
  { clients, changes }: Pick<Connections, 'clients' | 'changes'>,
  id: number,
  { change, set = {} }: ChangeRef,
): Promise<Client> {
  const [client, recorded] = await Promise.all([clients.get(id), changes.get(change)]);
  const { licenseExpiresAt, hostname: _, ...columns } = { ...recorded, ...set };
  const moment = licenseExpiresAt == null ? licenseExpiresAt : new Date(licenseExpiresAt);
  return { ...client, ...columns, ...(moment === undefined ? {} : { licenseExpiresAt: moment }) };
}

/** Where an SQL engine is, and as whom to log in there. */
export type SqlAddress = Pick<Server, 'name' | 'host' | 'sqlEngine' | 'sqlPort' | 'sqlUser'>;

export function targetOf(server: Server): SshTarget {
  return {
    host: server.host,
    port: server.sshPort,
    user: server.sshUser,
    hostKey: server.sshHostKey,
    baseDir: server.baseDir,
  };
}

/** `web-3 (10.0.0.3)`: how failures name a server. */
export function nameOf(server: Pick<Server, 'name' | 'host'>): string {
  return `${server.name} (${server.host})`;
}

/** The secret's value, or undefined once it was erased. */
export async function revealIfKept(
  secrets: Connections['secrets'],
  id: string | null,
): Promise<string | undefined> {
  if (id === null) return undefined;
  try {
    return await secrets.reveal(id);
  } catch (error) {
    if (kindOf(error) === 'NotFound') return undefined;
    throw error;
  }
}

/** Hosts are connected to by their pinned key only; a server without one was never confirmed. */
export function requireHostKey(server: Server): Server {
  if (server.sshHostKey !== null) return server;
  throw failure('HostKeyMismatch', `server ${nameOf(server)} has no pinned host key`, {
    hint: 'run check_host and store the fingerprint as ssh_host_key',
  });
}
