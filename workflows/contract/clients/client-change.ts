import type { StatusWith } from './statuses.js';
import type { KindOfClient } from './values.js';

/** Columns of a client's row that an operation changes; only what is given is changed. Kept in `client_changes`. */
export interface ClientChange {
  name?: string;
  shortName?: string;
  adminF?: string;
  adminI?: string;
  adminO?: string;
  adminLogin?: string;
  subdomain?: string;
  /** of `names`; goes with `subdomain` */
  hostname?: string;
  email?: string;
  phone?: string;
  city?: string;
  timezone?: string;
  allowedIps?: string[];
  config?: string;
  license?: string;
  /** ISO text, as JSON has no moments */
  licenseExpiresAt?: string | null;
  billingType?: string;
  kind?: KindOfClient;
  status?: StatusWith<'settled'>;
  demo?: boolean;
}
export type ChangedField = keyof ClientChange;

/** Where a field lives beside Slipway's own row: what `createClient` writes it to. */
export const CARRIED_TO = {
  baseData: ['name', 'adminF', 'adminI', 'adminO', 'adminLogin', 'email'],
  settings: ['config', 'license', 'licenseExpiresAt'],
  files: ['name', 'timezone', 'subdomain'],
  vhost: ['subdomain', 'allowedIps'],
} as const satisfies Record<string, readonly ChangedField[]>;
export type CarryingPlace = keyof typeof CARRIED_TO;

export function isCarriedTo(place: CarryingPlace, fields: readonly string[]): boolean {
  return CARRIED_TO[place].some((field) => fields.includes(field));
}

/** Whether a change of the field is an operation; everything else is only stored. */
export function isCarried(field: string): boolean {
  return Object.values(CARRIED_TO).some((fields) => (fields as readonly string[]).includes(field));
}

/** An act that sees the client as the operation `change` will have left it; `set` where there is no recorded change. */
export interface ChangeRef {
  change: string;
  set?: Pick<ClientChange, 'status' | 'demo'>;
}
