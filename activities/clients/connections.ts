import type { clients } from '../../db/schema/index.js';
import type { ChangeRef, ClientChange } from '../../workflows/contract/clients/client-change.js';
import { kindOf } from '../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';
import type { HostConnections } from '../hosts/connections.js';

export type Client = typeof clients.$inferSelect;

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

/** What acts on clients need from the outside, beside their hosts. Every `get` of something absent is `NotFound`. */
export interface Connections extends HostConnections {
  clients: {
    get(id: number): Promise<Client>;
    /** hosts that still pass on what visitors ask under the name that the client has on this server */
    formerHosts(client: { id: number; serverId: number; hostname: string }): Promise<string[]>;
  };
  changes: ClientChanges;
  /** `OperationClosed` once the step's operation is over: a late attempt writes nothing */
  requireOpen(step: Pick<StepContext, 'operation'>): Promise<void>;
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
