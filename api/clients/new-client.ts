import type { Tx } from '../../db/database.js';
import { findBackup, listBillingTypes, type NewClient } from '../../db/queries/clients.js';
import { type ServerRow, shareServer } from '../../db/queries/servers.js';
import { compareVersions } from '../../workflows/contract/clients/versions.js';
import { parseMoment } from '../http/dates.js';
import type { FieldError } from '../http/problem.js';
import { invalidInput } from '../http/router.js';
import { type ClientFields, REQUIRED_TO_CREATE } from './schemas.js';

export const NOT_A_MOMENT = 'must be a date and time such as 2031-01-31 18:00:00';

/** Directory of the backup; 422 for one that cannot become this client. */
export async function requireBackup(
  tx: Tx,
  id: number,
  { server, values }: { server: ServerRow; values: NewClient },
): Promise<string> {
  const found = await findBackup(tx, id);
  const refuse = (message: string) => invalidInput([{ field: 'restore_from', message }]);
  if (found === undefined) throw refuse('there is no such backup');
  const { backup, server: from } = found;
  if (from.sqlEngine !== server.sqlEngine)
    throw refuse(`is a backup of ${from.sqlEngine}, the server has ${server.sqlEngine}`);
  if (backup.serverId !== server.id)
    throw refuse(`lies on server ${backup.serverId}: create the client there`);
  if (from.product !== server.product) throw refuse(`is a backup of ${from.product}`);
  if (compareVersions(values.versionTag, backup.versionTag) < 0)
    throw refuse(`is a backup of ${backup.versionTag}: version_tag must not be lower`);
  return backup.path;
}

export async function requirePlace(tx: Tx, values: NewClient): Promise<ServerRow> {
  const errors: FieldError[] = [];
  const server = await shareServer(tx, values.serverId);
  if (server === undefined) errors.push({ field: 'server_id', message: 'there is no such server' });
  else if (!server.active) errors.push({ field: 'server_id', message: 'the server is not active' });
  const types = await listBillingTypes(tx);
  if (!types.some((type) => type.id === values.billingType)) {
    errors.push({
      field: 'billing_type',
      message: `must be one of ${types.map((type) => type.id).join(', ')}`,
    });
  }
  if (errors.length > 0 || server === undefined) throw invalidInput(errors);
  return server;
}

/** The validated fields as a row, with what is not given at its default; 422 for what a create needs. */
export function rowOf(fields: ClientFields): NewClient {
  const {
    server_id: serverId,
    name,
    admin_login: adminLogin,
    subdomain,
    email,
    version_tag: versionTag,
  } = fields;
  const errors: FieldError[] = REQUIRED_TO_CREATE.filter((field) => fields[field] === undefined).map(
    (field) => ({
      field,
      message: 'is required',
    }),
  );
  const timezone = fields.timezone ?? 'UTC';
  const written = fields.license_expires_at ?? '';
  const licenseExpiresAt = written === '' ? null : parseMoment(written, timezone);
  if (written !== '' && licenseExpiresAt === null)
    errors.push({ field: 'license_expires_at', message: NOT_A_MOMENT });
  if (!serverId || !name || !adminLogin || !subdomain || !email || !versionTag || errors.length > 0) {
    throw invalidInput(errors);
  }
  const kind = fields.kind ?? 'client';
  return {
    serverId,
    name,
    adminLogin,
    subdomain,
    email,
    versionTag,
    kind,
    timezone,
    licenseExpiresAt,
    status: 'creating',
    adminPassword: null,
    adminPasswordGiven: false,
    shortName: fields.short_name ?? '',
    adminF: fields.admin_f ?? '',
    adminI: fields.admin_i ?? '',
    adminO: fields.admin_o ?? '',
    phone: fields.phone ?? '',
    city: fields.city ?? '',
    allowedIps: fields.allowed_ips ?? [],
    config: fields.config ?? '',
    license: fields.license ?? '',
    billingType: fields.billing_type ?? (kind === 'client' ? 'monthly' : kind),
  };
}
