import { randomInt } from 'node:crypto';
import { and, asc, eq, ne } from 'drizzle-orm';
import type { Db, Queries, Tx } from '../../../db/database.js';
import { clientPlaces, clients, servers } from '../../../db/schema/index.js';
import type { ClientNames, ClientThing, ThingToRemove } from '../../../workflows/contract/clients/clients.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { findAddresses } from './client-addresses.js';
import { clientRow, nameThings, requireServer } from './client-reservation.js';
import { requireThing, thingOf, withCertificate } from './client-things.js';
import { writeFor } from '../../operation/operation-write.js';

export type ClientPlaceRecords = ReturnType<typeof createClientPlaceRecords>;

interface TargetWish {
  clientId: number;
  serverId: number;
}

export interface PreparedPlace {
  target: ClientThing;
  /** its visitors see the product's maintenance page, before and after */
  underMaintenance: boolean;
  /** the target has a certificate made for each of its clients; absent: no */
  certificate?: true;
}

const DAY_MS = 86_400_000;
/** Above the number of ports: a move that found its port in use does not get the same again. */
const ANY = 65_536;

/** Where a client is beside the server of its row: a move's target until the commit, the kept source afterwards. */
export function createClientPlaceRecords(db: Db) {
  const write = <Result>(step: StepContext, act: (tx: Tx) => Promise<Result>): Promise<Result> =>
    writeFor(db, step, act);

  return {
    /** Takes a port and a network on the target. Asked again by the same operation, it answers the same. */
    reserveTarget: ({ clientId, serverId }: TargetWish, step: StepContext): Promise<PreparedPlace> =>
      write(step, async (tx) => {
        const known = await placeOf(tx, { clientId, serverId });
        if (known?.state === 'kept') throw keptThere(known);
        if (known?.operationId === step.operation) return preparedOf(tx, known);
        // what another move has left there was cleaned up, or this one could not have begun
        await tx.delete(clientPlaces).where(preparedBy(clientId, { except: step.operation }));
        const made = await nameTarget(tx, { clientId, serverId });
        const { status, ...place } = { ...made, state: 'prepared' as const, operationId: step.operation };
        await tx.insert(clientPlaces).values({ ...place, clientId, serverId, status });
        await tx
          .update(clients)
          .set({ status: 'moving', updatedAt: new Date() })
          .where(eq(clients.id, clientId));
        return preparedOf(tx, { ...place, status });
      }),

    /** For plans: what `reserveTarget` would answer now. Takes and writes nothing. */
    async foreseeTarget(wish: TargetWish, step: StepContext): Promise<PreparedPlace> {
      const known = await placeOf(db, wish);
      if (known?.state === 'kept') throw keptThere(known);
      return preparedOf(db, { ...(await nameTarget(db, wish)), operationId: step.operation });
    },

    /** Undo of `reserveTarget`: the client is again what it was. */
    releaseTarget: ({ clientId, serverId }: TargetWish, step: StepContext): Promise<void> =>
      write(step, async (tx) => {
        const operation = step.undo?.of ?? step.operation;
        const known = await placeOf(tx, { clientId, serverId });
        if (known === undefined || known.state === 'kept' || known.operationId !== operation) return;
        await tx.delete(clientPlaces).where(at({ clientId, serverId }));
        await tx
          .update(clients)
          .set({ status: known.status ?? 'active', updatedAt: new Date() })
          .where(and(eq(clients.id, clientId), eq(clients.status, 'moving')));
      }),

    /** First act past the point of no return: the client is on the target, the source is kept for `keepDays`. */
    switchToTarget: (
      { clientId, serverId, keepDays }: TargetWish & { keepDays: number },
      step: StepContext,
    ): Promise<void> =>
      write(step, async (tx) => {
        const row = await clientRow(tx, clientId);
        if (row.movedBy === step.operation) return;
        const place = await placeOf(tx, { clientId, serverId });
        const source = thingOf(row);
        if (place === undefined || source === null || row.port === null || row.subnetIndex === null)
          throw failure('NotFound', `nothing is prepared for client ${clientId} on server ${serverId}`);
        const kept = { names: source.names, port: row.port, subnetIndex: row.subnetIndex };
        await tx.delete(clientPlaces).where(at({ clientId, serverId }));
        const { names, port, subnetIndex, status } = place;
        await tx
          .update(clients)
          .set({
            ...{ serverId, names, port, subnetIndex, status: status ?? 'active' },
            // what was known of it is that of the source's server
            ...{ certificate: null, certificateError: null },
            ...{ certificateExpiresAt: null, certificateCheckedAt: null },
            movedBy: step.operation,
            updatedAt: new Date(),
          })
          .where(eq(clients.id, clientId));
        await tx.insert(clientPlaces).values({
          ...kept,
          clientId,
          serverId: row.serverId,
          state: 'kept',
          operationId: source.operation,
          keepUntil: new Date(Date.now() + keepDays * DAY_MS),
        });
      }),

    /** The stopped source that a move has kept on a server; null: none any more. */
    async findKeptSource(wish: TargetWish, _step: StepContext): Promise<ThingToRemove | null> {
      const known = await placeOf(db, wish);
      if (known?.state !== 'kept') return null;
      return withCertificate(db, { names: known.names, operation: known.operationId });
    },

    /** Its port and network are free again. */
    forgetKeptSource: (wish: TargetWish, step: StepContext): Promise<void> =>
      write(step, async (tx) => {
        await tx.delete(clientPlaces).where(and(at(wish), eq(clientPlaces.state, 'kept')));
      }),
  };
}

/** Stopped sources of a client that moves have kept, by server. */
export async function listKeptSources(db: Queries, clientId: number): Promise<ClientThing[]> {
  const rows = await db
    .select()
    .from(clientPlaces)
    .where(and(eq(clientPlaces.clientId, clientId), eq(clientPlaces.state, 'kept')))
    .orderBy(asc(clientPlaces.serverId));
  return rows.map(({ names, operationId: operation }) => ({ names, operation }));
}

function at({ clientId, serverId }: TargetWish) {
  return and(eq(clientPlaces.clientId, clientId), eq(clientPlaces.serverId, serverId));
}

function preparedBy(clientId: number, { except }: { except: string }) {
  return and(
    eq(clientPlaces.clientId, clientId),
    eq(clientPlaces.state, 'prepared'),
    ne(clientPlaces.operationId, except),
  );
}

async function placeOf(db: Queries, wish: TargetWish) {
  const [row] = await db.select().from(clientPlaces).where(at(wish));
  return row;
}

function keptThere({ clientId, serverId }: TargetWish) {
  return failure(
    'Conflict',
    `server ${serverId} still keeps the source of an earlier move of client ${clientId}`,
  );
}

/** The target's own names; secrets, image and product are the client's, wherever it is. */
async function nameTarget(db: Db | Tx, { clientId, serverId }: TargetWish) {
  const row = await clientRow(db, clientId);
  const { image, product, secrets } = requireThing(row).names;
  const query = db.select().from(servers).where(eq(servers.id, serverId));
  const [found] = await ('rollback' in db ? query.for('update') : query);
  const server = requireServer(found, serverId);
  const addresses = await findAddresses(db, server, randomInt(ANY));
  const named = nameThings({ clientId, subdomain: row.subdomain, image, server, addresses });
  const names: ClientNames = { ...named, product, secrets };
  return { names, ...addresses, status: row.status };
}

async function preparedOf(
  db: Queries,
  place: { names: ClientNames; operationId: string; status: string | null },
): Promise<PreparedPlace> {
  const { names, operationId: operation, status } = place;
  const { certificate, ...target } = await withCertificate(db, { names, operation });
  const underMaintenance = status === 'maintenance';
  return { target, underMaintenance, ...(certificate === true ? { certificate } : {}) };
}
