import type { Queries, Tx } from '../../db/database.js';
import { recordAudit } from '../../db/queries/audit.js';
import {
  type ClientRow,
  findClient,
  findSubdomainHolder,
  listBillingTypes,
  lockClient,
  updateClient,
} from '../../db/queries/clients.js';
import { findServer } from '../../db/queries/servers.js';
import { type ClientChange, isCarried } from '../../workflows/contract/clients/client-change.js';
import type { UpdateClientParams } from '../../workflows/contract/clients/clients.js';
import { subjectId } from '../../workflows/contract/operation/ids.js';
import { parseMoment } from '../http/dates.js';
import { auditOf, type StartedBy } from '../operations/caller.js';
import type { RouteDeps } from '../operations/deps.js';
import type { Planned } from '../operations/plan.js';
import type { Caller } from '../operations/record-start.js';
import type { Started } from '../operations/start.js';
import { type FieldError, Problem } from '../http/problem.js';
import { invalidInput } from '../http/router.js';
import type { ClientFields } from './schemas.js';
import { NOT_A_MOMENT } from './new-client.js';
import { noClient, readClient } from './read.js';
import { startChange } from './start-change.js';
import { PRESENT } from './status.js';

export interface ChangeRequest extends StartedBy {
  id: number;
  fields: ClientFields;
}

/** What it has led to: an operation, a plan of one, or the client as it is stored now. */
export type Changed = Started | Planned | { stored: Awaited<ReturnType<typeof readClient>> };

/**
 * Changes a client. What also lives in its database, `.env`, nginx or settings is carried there by `update_client`;
 * anything else is stored at once. Values that are the client's own already are no
 * change, as panels send whole forms.
 */
export async function changeClient(
  deps: RouteDeps,
  { id, fields, caller, options }: ChangeRequest,
): Promise<Changed> {
  const found = await findClient(deps.db, id);
  if (found === undefined) throw noClient(id);
  const changes = await requireAllowed(deps.db, found.client, fields);
  if (!Object.keys(changes).some(isCarried)) {
    if (caller.plan) {
      throw invalidInput([{ field: 'plan', message: `client ${id} is only updated, which is no operation` }]);
    }
    await store(deps, id, fields, caller);
    return { stored: await readClient(deps, id) };
  }
  return startChange<Pick<UpdateClientParams, 'fields'>>(deps, {
    kind: 'update_client',
    id,
    caller,
    options,
    allowed: PRESENT,
    async wish(client, tx) {
      const wanted = await requireAllowed(tx, client, fields);
      const hostname = await hostnameOf(tx, client, wanted.subdomain);
      const changed = Object.keys(wanted).sort();
      return {
        params: { fields: changed },
        named: `${client.subdomain}: ${changed.join(', ')}`,
        changes: { ...wanted, ...(hostname === undefined ? {} : { hostname }) },
        detail: { fields: changed },
      };
    },
  });
}

/** The whole of it, or nothing: other rows may have changed between the look and the lock. */
async function store(deps: RouteDeps, id: number, fields: ClientFields, caller: Caller): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const row = await lockClient(tx, id);
    if (row === undefined) throw noClient(id);
    const { licenseExpiresAt: _, hostname: __, ...changes } = await requireAllowed(tx, row, fields);
    const stored = Object.fromEntries(Object.entries(changes).filter(([field]) => !isCarried(field)));
    await updateClient(tx, id, stored);
    const detail = { fields: Object.keys(stored) };
    await recordAudit(tx, auditOf(caller, { subject: subjectId('client', id), outcome: 'changed', detail }));
  });
}

async function requireAllowed(db: Queries, row: ClientRow, fields: ClientFields): Promise<ClientChange> {
  const { changes, errors } = await changesOf(db, row, fields);
  if (errors.length > 0) throw invalidInput(errors);
  return changes;
}

async function hostnameOf(
  tx: Tx,
  client: ClientRow,
  subdomain: string | undefined,
): Promise<string | undefined> {
  if (subdomain === undefined) return undefined;
  const holder = await findSubdomainHolder(tx, subdomain);
  if (holder !== undefined) {
    throw new Problem('subdomain_taken', {
      detail: `The subdomain ${subdomain} is taken by client ${holder.id}`,
    });
  }
  const server = await findServer(tx, client.serverId);
  return server === undefined ? undefined : `${subdomain}.${server.domain}`;
}

const ELSEWHERE: Partial<Record<keyof ClientFields, string>> = {
  server_id: 'cannot be changed here: move the client with move_to',
  version_tag: 'cannot be changed here: switch the version with switch',
  password: 'cannot be changed here: use admin_password',
};

/** Fields given with another value than the row has, and what cannot be taken. */
async function changesOf(
  db: Queries,
  row: ClientRow,
  fields: ClientFields,
): Promise<{ changes: ClientChange; errors: FieldError[] }> {
  const given = givenOf(row, fields);
  const changes = Object.fromEntries(
    Object.entries(given).filter(([field, value]) => value !== undefined && !isSame(row, field, value)),
  ) as ClientChange;
  const elsewhere = { server_id: row.serverId, version_tag: row.versionTag, password: null };
  const errors = Object.entries(elsewhere)
    .map(([field, own]) => ({ field: field as keyof typeof elsewhere, own }))
    .filter(({ field, own }) => fields[field] !== undefined && fields[field] !== own)
    .map(({ field }): FieldError => ({ field, message: ELSEWHERE[field] ?? '' }));
  const { billingType } = changes;
  if (billingType !== undefined && !(await listBillingTypes(db)).some(({ id }) => id === billingType))
    errors.push({ field: 'billing_type', message: 'there is no such billing type' });
  return { changes, errors };
}

function givenOf(row: ClientRow, fields: ClientFields): { [Field in keyof ClientChange]: unknown } {
  return {
    name: fields.name,
    shortName: fields.short_name,
    adminF: fields.admin_f,
    adminI: fields.admin_i,
    adminO: fields.admin_o,
    adminLogin: fields.admin_login,
    subdomain: fields.subdomain,
    email: fields.email,
    phone: fields.phone,
    city: fields.city,
    timezone: fields.timezone,
    allowedIps: fields.allowed_ips,
    config: fields.config,
    license: fields.license,
    licenseExpiresAt: momentOf(fields.license_expires_at, fields.timezone ?? row.timezone),
    billingType: fields.billing_type,
    kind: fields.kind,
  };
}

/** ISO text; absent and empty ones leave what is there. */
export function momentOf(written: string | undefined, timezone: string): string | undefined {
  if (written === undefined || written === '') return undefined;
  const moment = parseMoment(written, timezone);
  if (moment === null) throw invalidInput([{ field: 'license_expires_at', message: NOT_A_MOMENT }]);
  return moment.toISOString();
}

function isSame(row: ClientRow, field: string, value: unknown): boolean {
  const own = row[field as keyof ClientRow];
  return JSON.stringify(own) === JSON.stringify(value);
}
