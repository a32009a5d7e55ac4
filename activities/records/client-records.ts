import { randomBytes, randomInt } from 'node:crypto';
import { and, eq, inArray, ne, sql } from 'drizzle-orm';
import type { Db, Tx } from '../../db/database.js';
import { backups, clients, operationUndos, servers } from '../../db/schema/index.js';
import type { Secrets } from '../../db/secrets.js';
import type { ClientNames, ClientThing } from '../../workflows/contract/clients.js';
import { failure } from '../../workflows/contract/failures.js';
import { clientName } from '../../workflows/contract/ids.js';
import type { StepContext } from '../../workflows/contract/step.js';
import { subnetAt, takeAddresses } from './client-addresses.js';

export interface ClientRecordsOptions {
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
}

export type ClientRecords = ReturnType<typeof createClientRecords>;

/** The client's own row over its life; names are computed here once, and nowhere else. */
export function createClientRecords(options: ClientRecordsOptions) {
  const { db, secrets } = options;
  return {
    /** Takes a port and a network and names everything that will be made. Asked again, it answers the same. */
    reserveClient: ({ clientId }: { clientId: number }, step: StepContext): Promise<Reservation> =>
      db.transaction((tx) => reserve(tx, options, clientId, step.operation)),

    /** Undo of `reserveClient`: the row stays as `failed`; addresses stay taken while something of it is left. */
    releaseClient: ({ clientId }: { clientId: number }, step: StepContext): Promise<void> =>
      db.transaction((tx) => release(tx, secrets, clientId, step)),

    async activateClient({ clientId }: { clientId: number }, _step: StepContext): Promise<void> {
      const now = new Date();
      await db
        .update(clients)
        .set({
          status: 'active',
          available: true,
          availableCheckedAt: now,
          availableSince: now,
          updatedAt: now,
        })
        .where(eq(clients.id, clientId));
    },

    /** What a later operation acts on: names, and the operation whose mark the things bear. Null: nothing was ever made. */
    findClientThing: ({ clientId }: { clientId: number }, _step: StepContext): Promise<ClientThing | null> =>
      findThing(db, clientId),

    async requireClientThing({ clientId }: { clientId: number }, _step: StepContext): Promise<ClientThing> {
      const thing = await findThing(db, clientId);
      if (thing === null) throw failure('NotFound', `client ${clientId} has no environment`);
      return thing;
    },

    /** The first password that the panel sets is kept for the mail with it; later ones are needed no more. */
    recordAdminPassword: (
      { clientId, password }: { clientId: number; password: string },
      _step: StepContext,
    ): Promise<{ first: boolean }> =>
      db.transaction(async (tx) => {
        const row = await clientRow(tx, clientId);
        const first = !row.adminPasswordGiven || row.adminPassword === password;
        if (first)
          await tx
            .update(clients)
            .set({ adminPassword: password, adminPasswordGiven: true })
            .where(eq(clients.id, clientId));
        else await secrets.erase(tx, password);
        return { first };
      }),

    async markClientDeleting({ clientId }: { clientId: number }, _step: StepContext): Promise<void> {
      await db
        .update(clients)
        .set({ status: 'deleting', updatedAt: new Date() })
        .where(eq(clients.id, clientId));
    },

    async recordBackup(
      input: { clientId: number; path: string; sizeBytes: number; keepDays: number },
      step: StepContext,
    ): Promise<void> {
      const { clientId, path, sizeBytes, keepDays } = input;
      const row = await clientRow(db, clientId);
      const expiresAt = new Date(Date.now() + keepDays * 86_400_000);
      await db
        .insert(backups)
        .values({
          clientId,
          serverId: row.serverId,
          kind: 'delete',
          operationId: step.operation,
          path,
          sizeBytes,
          versionTag: row.versionTag,
          expiresAt,
        })
        .onConflictDoNothing();
    },

    /** Last act of a delete: addresses and subdomain are free again, secrets are erased, the row remains for its log. */
    async forgetClient({ clientId }: { clientId: number }, _step: StepContext): Promise<void> {
      await db.transaction(async (tx) => {
        await tx
          .update(clients)
          .set({
            status: 'deleted',
            port: null,
            subnetIndex: null,
            names: null,
            adminPassword: null,
            updatedAt: new Date(),
          })
          .where(eq(clients.id, clientId));
        await secrets.eraseAllOf(tx, `clients/${clientId}`);
      });
    },
  };
}

async function reserve(
  tx: Tx,
  { secrets, imageOf }: ClientRecordsOptions,
  clientId: number,
  operation: string,
): Promise<Reservation> {
  const row = await clientRow(tx, clientId);
  if (row.names !== null && row.operationId === operation && row.adminPassword !== null) {
    return { names: row.names, passwordGiven: row.adminPasswordGiven, adminPassword: row.adminPassword };
  }
  const [server] = await tx.select().from(servers).where(eq(servers.id, row.serverId)).for('update');
  if (server === undefined) throw failure('NotFound', `server ${row.serverId} does not exist`);
  const { port, subnetIndex } = await takeAddresses(tx, server);
  const place = (name: string) => ({ owner: `clients/${clientId}`, name });
  const name = clientName(clientId);
  const names: ClientNames = {
    clientId,
    serverId: server.id,
    name,
    directory: `${server.baseDir}/docker/clients/${name}`,
    vhostFile: `${server.vhostDir}/${name}.conf`,
    hostname: `${row.subdomain}.${server.domain}`,
    subnet: subnetAt(server.clientPool, subnetIndex),
    port,
    image: `${imageOf(server.product)}:${row.versionTag}`,
    product: server.product,
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
  return { names, passwordGiven: row.adminPasswordGiven, adminPassword };
}

async function release(
  tx: Tx,
  secrets: Secrets,
  clientId: number,
  { operation, step }: StepContext,
): Promise<void> {
  const [leftover] = await tx
    .select({ id: operationUndos.id })
    .from(operationUndos)
    .where(
      and(
        eq(operationUndos.operationId, operation),
        inArray(operationUndos.state, ['registered', 'failed']),
        ne(operationUndos.step, step),
      ),
    )
    .limit(1);
  const freed = leftover === undefined ? { port: null, subnetIndex: null, names: null } : {};
  await tx
    .update(clients)
    .set({ status: 'failed', updatedAt: new Date(), ...freed })
    .where(
      and(
        eq(clients.id, clientId),
        sql`(${clients.operationId} = ${operation} or ${clients.operationId} is null)`,
      ),
    );
  if (leftover !== undefined) return;
  for (const name of ['database_password', 'client_token', 'application_key']) {
    await secrets.eraseAllOf(tx, `clients/${clientId}`, name);
  }
}

async function findThing(db: Db, clientId: number): Promise<ClientThing | null> {
  const row = await clientRow(db, clientId);
  return row.names === null || row.operationId === null
    ? null
    : { names: row.names, operation: row.operationId };
}

async function clientRow(db: Db | Tx, clientId: number) {
  const [row] = await db.select().from(clients).where(eq(clients.id, clientId));
  if (row === undefined || row.status === 'deleted')
    throw failure('NotFound', `client ${clientId} does not exist`);
  return row;
}

const PASSWORD_ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789';

/** 32 characters of 57 are 186 bits; letters and digits only, so that no grammar has to escape them. */
export function generatePassword(length = 32): string {
  return Array.from({ length }, () => PASSWORD_ALPHABET.charAt(randomInt(PASSWORD_ALPHABET.length))).join('');
}
