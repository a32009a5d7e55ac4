import type { ClientWithServer } from '../../db/queries/clients.js';
import type { StatusWith } from '../../workflows/contract/clients/statuses.js';
import type { ListedOperation } from '../../db/queries/operation-reads.js';
import { refOf } from '../operations/refusals.js';

const DAY_MS = 86_400_000;

/** A client as the API answers it, with the operation that runs on it. Never a password, not even the reference. */
export function clientAnswer({ client, server }: ClientWithServer, operation: ListedOperation | undefined) {
  const scheme = server.tls === 'off' ? 'http' : 'https';
  const expires = client.licenseExpiresAt;
  return {
    id: client.id,
    server_id: client.serverId,
    // no query finds a deleted one
    status: client.status as StatusWith<'listed'>,
    kind: client.kind,
    name: client.name,
    short_name: client.shortName,
    admin_f: client.adminF,
    admin_i: client.adminI,
    admin_o: client.adminO,
    admin_login: client.adminLogin,
    subdomain: client.subdomain,
    url: `${scheme}://${client.subdomain}.${server.domain}`,
    email: client.email,
    phone: client.phone,
    city: client.city,
    timezone: client.timezone,
    version_tag: client.versionTag,
    allowed_ips: JSON.stringify(client.allowedIps),
    config: client.config,
    license: client.license,
    license_expires_at: expires?.toISOString() ?? null,
    days_left: expires === null ? null : Math.floor((expires.getTime() - Date.now()) / DAY_MS),
    billing_type: client.billingType,
    available: client.available,
    available_checked_at: client.availableCheckedAt?.toISOString() ?? null,
    available_since: client.availableSince?.toISOString() ?? null,
    available_error: client.availableError,
    demo: client.demo,
    users: client.users,
    certificate: client.certificate,
    certificate_error: client.certificateError,
    certificate_expires_at: client.certificateExpiresAt?.toISOString() ?? null,
    operation: operation === undefined ? null : refOf(operation),
    created_at: client.createdAt.toISOString(),
    updated_at: client.updatedAt.toISOString(),
  };
}
