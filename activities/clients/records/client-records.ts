import { and, eq, inArray, ne, sql } from 'drizzle-orm';
import type { Tx } from '../../../db/database.js';
import {
  type BackupKind,
  backups,
  clientChanges,
  clientPlaces,
  clients,
  operations,
  operationUndos,
  OPEN_UNDOS,
} from '../../../db/schema/index.js';
import type { Secrets } from '../../../db/secrets.js';
import type {
  ClientThing,
  CreateClientParams,
  FoundClient,
} from '../../../workflows/contract/clients/clients.js';
import { subjectId } from '../../../workflows/contract/operation/ids.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { listKeptSources } from './client-places.js';
import {
  clientRow,
  foresee,
  type Reservation,
  type ReservationParts,
  reserve,
} from './client-reservation.js';
import { requireThing, thingOf, withCertificate } from './client-things.js';
import { writeFor } from '../../operation/operation-write.js';

export type ClientRecords = ReturnType<typeof createClientRecords>;

/** The client's own row over its life; names are computed here once, and nowhere else. */
export function createClientRecords(options: ReservationParts) {
  const { db, secrets } = options;

  const write = <Result>(step: StepContext, act: (tx: Tx) => Promise<Result>): Promise<Result> =>
    writeFor(db, step, act);

  return {
    /** Takes a port and a network and names everything that will be made. Asked again, it answers the same. */
    reserveClient: ({ clientId }: { clientId: number }, step: StepContext): Promise<Reservation> =>
      write(step, (tx) => reserve(tx, options, clientId, step.operation)),

    /** For plans: what `reserveClient` would answer now. Takes and writes nothing; secrets have no ids yet. */
    foreseeClient: (params: CreateClientParams, _step: StepContext): Promise<Reservation> =>
      foresee(options, params),

    /** Undo of `reserveClient`: the row stays as `failed`; addresses stay taken while something of it is left. */
    releaseClient: ({ clientId }: { clientId: number }, step: StepContext): Promise<void> =>
      write(step, (tx) => release(tx, secrets, clientId, step)),

    async activateClient({ clientId }: { clientId: number }, step: StepContext): Promise<void> {
      const now = new Date();
      const active = {
        status: 'active' as const,
        available: true,
        availableCheckedAt: now,
        availableSince: now,
      };
      await write(step, (tx) =>
        tx
          .update(clients)
          .set({ ...active, updatedAt: now })
          .where(eq(clients.id, clientId)),
      );
    },

    /** What a later operation acts on: names, and the operation whose mark the things bear. Null: nothing was ever made. */
    async findClientThing(
      { clientId }: { clientId: number },
      _step: StepContext,
    ): Promise<FoundClient | null> {
      const thing = thingOf(await clientRow(db, clientId));
      if (thing === null) return null;
      const sources = await listKeptSources(db, clientId);
      const kept = await Promise.all(sources.map((source) => withCertificate(db, source)));
      return { ...(await withCertificate(db, thing)), ...(kept.length === 0 ? {} : { kept }) };
    },

    async requireClientThing({ clientId }: { clientId: number }, _step: StepContext): Promise<ClientThing> {
      return requireThing(await clientRow(db, clientId));
    },

    /** The first password that the panel sets is kept for the mail with it; later ones are needed no more. */
    recordAdminPassword: (
      { clientId, password }: { clientId: number; password: string },
      step: StepContext,
    ): Promise<{ first: boolean }> =>
      write(step, async (tx) => {
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

    /** For plans: what `recordAdminPassword` would answer now. */
    async foreseeAdminPassword(
      { clientId }: { clientId: number },
      _step: StepContext,
    ): Promise<{ first: boolean }> {
      return { first: !(await clientRow(db, clientId)).adminPasswordGiven };
    },

    async markClientDeleting({ clientId }: { clientId: number }, step: StepContext): Promise<void> {
      await write(step, (tx) =>
        tx.update(clients).set({ status: 'deleting', updatedAt: new Date() }).where(eq(clients.id, clientId)),
      );
    },

    async recordBackup(
      input: { clientId: number; path: string; sizeBytes: number; keepDays: number; kind?: BackupKind },
      step: StepContext,
    ): Promise<void> {
      const { clientId, path, sizeBytes, keepDays, kind = 'delete' } = input;
      const row = await clientRow(db, clientId);
      const expiresAt = new Date(Date.now() + keepDays * 86_400_000);
      await db
        .insert(backups)
        .values({
          clientId,
          serverId: row.serverId,
          kind,
          operationId: step.operation,
          path,
          sizeBytes,
          versionTag: row.versionTag,
          expiresAt,
        })
        .onConflictDoNothing();
    },

    /** Last act of a delete: addresses and subdomain are free again, secrets are erased, the row remains for its log. */
    async forgetClient({ clientId }: { clientId: number }, step: StepContext): Promise<void> {
      await write(step, async (tx) => {
        await tx
          .update(clients)
          .set({
            status: 'deleted',
            port: null,
            subnetIndex: null,
            names: null,
            movedBy: null,
            adminPassword: null,
            updatedAt: new Date(),
          })
          .where(eq(clients.id, clientId));
        await tx.delete(clientPlaces).where(eq(clientPlaces.clientId, clientId));
        await secrets.eraseAllOf(tx, `clients/${clientId}`);
        await tx.delete(clientChanges).where(eq(clientChanges.clientId, clientId));
        await settleUndos(tx, subjectId('client', clientId));
      });
    },
  };
}

/** A delete has removed what earlier operations left, or names it among its own leftovers. */
async function settleUndos(tx: Tx, subject: string): Promise<void> {
  const ofSubject = tx.select({ id: operations.id }).from(operations).where(eq(operations.subject, subject));
  await tx
    .update(operationUndos)
    .set({ state: 'undone', finishedAt: new Date() })
    .where(and(inArray(operationUndos.operationId, ofSubject), inArray(operationUndos.state, OPEN_UNDOS)));
}

async function release(
  tx: Tx,
  secrets: Secrets,
  clientId: number,
  { operation: runner, step, undo }: StepContext,
): Promise<void> {
  const operation = undo?.of ?? runner;
  const [leftover] = await tx
    .select({ id: operationUndos.id })
    .from(operationUndos)
    .where(
      and(
        eq(operationUndos.operationId, operation),
        inArray(operationUndos.state, OPEN_UNDOS),
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
        // one that was deleted since stays so
        inArray(clients.status, ['creating', 'failed']),
      ),
    );
  if (leftover !== undefined) return;
  for (const name of ['database_password', 'client_token', 'application_key']) {
    await secrets.eraseAllOf(tx, `clients/${clientId}`, name);
  }
}
