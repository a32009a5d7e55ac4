import { randomBytes, randomInt } from 'node:crypto';
import { eq } from 'drizzle-orm';
import type { Db, Queries, Tx } from '../../../db/database.js';
import { clients, servers } from '../../../db/schema/index.js';
import type { Secrets } from '../../../db/secrets.js';
import type { ClientNames, CreateClientParams } from '../../../workflows/contract/clients/clients.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import { clientName } from '../../../workflows/contract/operation/ids.js';
import { asksForCertificates } from '../certificate-files.js';
import { findAddresses, subnetAt } from './client-addresses.js';

export interface ReservationParts {
  db: Db;
  secrets: Secrets;
  /** `<image>` of a product profile */
  imageOf(product: string): string;
}

export interface Reservation {
  names: ClientNames;
  /** the caller gave the administrator's password, so the client may be told it */
  passwordGiven: boolean;
  /** id of the secret that the administrator starts with */
  adminPassword: string;
  /** the client's server has one made for each of its clients; absent: no */
  certificate?: true;
}

/** Takes a port and a network and names everything. Asked again by the same operation, it answers the same. */
export async function reserve(
  tx: Tx,
  { secrets, imageOf }: ReservationParts,
  clientId: number,
  operation: string,
): Promise<Reservation> {
  const row = await clientRow(tx, clientId);
  const { adminPasswordGiven: passwordGiven } = row;
  const [locked] = await tx.select().from(servers).where(eq(servers.id, row.serverId)).for('update');
  const server = requireServer(locked, row.serverId);
  if (row.names !== null && row.operationId === operation && row.adminPassword !== null) {
    return { names: row.names, passwordGiven, adminPassword: row.adminPassword, ...certified(server) };
  }
  const addresses = await findAddresses(tx, server, clientId);
  const { port, subnetIndex } = addresses;
  const place = (name: string) => ({ owner: `clients/${clientId}`, name });
  const image = `${imageOf(server.product)}:${row.versionTag}`;
  const names: ClientNames = {
    ...nameThings({ clientId, subdomain: row.subdomain, image, server, addresses }),
    secrets: {
      databasePassword: await secrets.store(tx, place('database_password'), generatePassword()),
      clientToken: await secrets.store(tx, place('client_token'), generatePassword(48)),
      // 32 bytes: what AES-256 application keys take
      applicationKey: await secrets.store(tx, place('application_key'), randomBytes(32).toString('base64')),
    },
  };
  const adminPassword =
    row.adminPassword ?? (await secrets.store(tx, place('admin_password'), generatePassword()));
  await tx
    .update(clients)
    .set({
      status: 'creating',
      port,
      subnetIndex,
      names,
      operationId: operation,
      adminPassword,
      updatedAt: new Date(),
    })
    .where(eq(clients.id, clientId));
  return { names, passwordGiven, adminPassword, ...certified(server) };
}

/** What `reserve` would answer now: from the client's row, or where there is none yet from the plan's own words. */
export async function foresee(
  { db, imageOf }: ReservationParts,
  { clientId, serverId, planned }: CreateClientParams,
): Promise<Reservation> {
  const { subdomain, versionTag, adminPasswordGiven } = planned ?? (await clientRow(db, clientId));
  const [found] = await db.select().from(servers).where(eq(servers.id, serverId));
  const server = requireServer(found, serverId);
  const addresses = await findAddresses(db, server, clientId);
  const image = `${imageOf(server.product)}:${versionTag}`;
  return {
    names: {
      ...nameThings({ clientId, subdomain, image, server, addresses }),
      secrets: { databasePassword: '', clientToken: '', applicationKey: '' },
    },
    passwordGiven: adminPasswordGiven,
    adminPassword: '',
    ...certified(server),
  };
}

function certified(server: ServerRow): Pick<Reservation, 'certificate'> {
  return asksForCertificates(server) ? { certificate: true } : {};
}

type ServerRow = typeof servers.$inferSelect;

export interface NameThings {
  clientId: number;
  subdomain: string;
  image: string;
  server: ServerRow;
  addresses: { port: number; subnetIndex: number };
}

/** Names of everything that is made for a client on a server; secrets apart. */
export function nameThings({ clientId, subdomain, image, server, addresses }: NameThings) {
  const name = clientName(clientId);
  return {
    clientId,
    serverId: server.id,
    name,
    directory: `${server.baseDir}/docker/clients/${name}`,
    vhostFile: `${server.vhostDir}/${name}.conf`,
    hostname: `${subdomain}.${server.domain}`,
    subnet: subnetAt(server.clientPool, addresses.subnetIndex),
    port: addresses.port,
    image,
    product: server.product,
  };
}

export function requireServer(row: ServerRow | undefined, id: number): ServerRow {
  if (row === undefined) throw failure('NotFound', `server ${id} does not exist`);
  return row;
}

export async function clientRow(db: Queries, clientId: number) {
  const [row] = await db.select().from(clients).where(eq(clients.id, clientId));
  if (row === undefined || row.status === 'deleted')
    throw failure('NotFound', `client ${clientId} does not exist`);
  return row;
}

const PASSWORD_ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789';

/** 32 characters of 57 are 186 bits; letters and digits only, so that no grammar has to escape them. */
function generatePassword(length = 32): string {
  return Array.from({ length }, () => PASSWORD_ALPHABET.charAt(randomInt(PASSWORD_ALPHABET.length))).join('');
}
