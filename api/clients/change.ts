import { recordAudit } from '../../db/queries/audit.js';
import {
  type ClientRow,
  listBillingTypes,
  lockClient,
  type NewClient,
  updateClient,
} from '../../db/queries/clients.js';
import type { AuditEntry } from '../../db/queries/audit.js';
import { parseMoment } from '../dates.js';
import type { RouteDeps } from '../deps.js';
import { type FieldError, Problem } from '../problem.js';
import { invalidInput } from '../router.js';
import type { ClientFields } from '../schemas/clients.js';
import { NOT_A_MOMENT } from './create.js';

const ELSEWHERE: Partial<Record<keyof ClientFields, string>> = {
  server_id: 'cannot be changed here: move the client with move_to',
  version_tag: 'cannot be changed here: switch the version with switch',
  password: 'cannot be changed here: use admin_password',
};

/**
 * Changes what is kept only in Slipway's own record. A field that also lives in the client's system may be sent as it
 * is, as panels send whole forms; another value is 422.
 */
export async function changeClient(
  deps: RouteDeps,
  id: number,
  fields: ClientFields,
  audit: AuditEntry,
): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const row = await lockClient(tx, id);
    if (row === undefined) throw new Problem('not_found', { detail: `There is no client ${id}` });
    const errors = differing(row, fields).map(
      (field): FieldError => ({
        field,
        message: ELSEWHERE[field] ?? 'cannot be changed once the client exists',
      }),
    );
    const billingType = fields.billing_type;
    if (billingType !== undefined && !(await listBillingTypes(tx)).some((type) => type.id === billingType)) {
      errors.push({ field: 'billing_type', message: 'there is no such billing type' });
    }
    if (errors.length > 0) throw invalidInput(errors);
    const changes: Partial<NewClient> = {
      ...(fields.short_name === undefined ? {} : { shortName: fields.short_name }),
      ...(fields.phone === undefined ? {} : { phone: fields.phone }),
      ...(fields.city === undefined ? {} : { city: fields.city }),
      ...(billingType === undefined ? {} : { billingType }),
    };
    await updateClient(tx, id, changes);
    await recordAudit(tx, { ...audit, detail: { fields: Object.keys(changes) } });
  });
}

/** Fields given with another value than the record has. */
function differing(row: ClientRow, fields: ClientFields): (keyof ClientFields)[] {
  const expires = fields.license_expires_at;
  const moment =
    expires === undefined || expires === '' ? null : parseMoment(expires, fields.timezone ?? row.timezone);
  if (expires && moment === null)
    throw invalidInput([{ field: 'license_expires_at', message: NOT_A_MOMENT }]);
  const stored: [keyof ClientFields, unknown, unknown][] = [
    ['server_id', fields.server_id, row.serverId],
    ['name', fields.name, row.name],
    ['admin_f', fields.admin_f, row.adminF],
    ['admin_i', fields.admin_i, row.adminI],
    ['admin_o', fields.admin_o, row.adminO],
    ['admin_login', fields.admin_login, row.adminLogin],
    ['password', fields.password, null],
    ['subdomain', fields.subdomain, row.subdomain],
    ['email', fields.email, row.email],
    ['timezone', fields.timezone, row.timezone],
    ['version_tag', fields.version_tag, row.versionTag],
    ['allowed_ips', fields.allowed_ips && JSON.stringify(fields.allowed_ips), JSON.stringify(row.allowedIps)],
    ['config', fields.config, row.config],
    ['license', fields.license, row.license],
    ['license_expires_at', moment?.getTime(), row.licenseExpiresAt?.getTime()],
    ['kind', fields.kind, row.kind],
  ];
  return stored.filter(([, given, kept]) => given !== undefined && given !== kept).map(([field]) => field);
}
