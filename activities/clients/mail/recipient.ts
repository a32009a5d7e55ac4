import { and, eq, ne } from 'drizzle-orm';
import type { Db } from '../../../db/database.js';
import { clients, servers } from '../../../db/schema/index.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import { isMailAddress } from '../../mail/address.js';

/** Who is written to, and what mails may tell him. */
export interface Recipient {
  clientId: number;
  email: string;
  name: string;
  hostname: string;
  login: string;
  timezone: string;
  licenseExpiresAt: Date | null;
  /** secret's id */
  adminPassword: string | null;
  adminPasswordGiven: boolean;
  product: string;
}

/** `NotFound` for a deleted client, `InvalidInput` for one without a usable address. */
export async function findRecipient(db: Db, clientId: number): Promise<Recipient> {
  const [row] = await db
    .select({ client: clients, server: servers })
    .from(clients)
    .innerJoin(servers, eq(servers.id, clients.serverId))
    .where(and(eq(clients.id, clientId), ne(clients.status, 'deleted')));
  if (row === undefined) throw failure('NotFound', `client ${clientId} does not exist`);
  const { client, server } = row;
  if (!isMailAddress(client.email)) {
    throw failure('InvalidInput', `client ${clientId} has no usable mail address`, {
      hint: 'correct "email" with PUT /clients/{id}',
    });
  }
  return {
    clientId,
    email: client.email,
    name: client.name,
    hostname: client.names?.hostname ?? `${client.subdomain}.${server.domain}`,
    login: client.adminLogin,
    timezone: client.timezone,
    licenseExpiresAt: client.licenseExpiresAt,
    adminPassword: client.adminPassword,
    adminPasswordGiven: client.adminPasswordGiven,
    product: server.product,
  };
}
