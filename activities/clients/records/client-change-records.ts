import { and, eq, ne, sql } from 'drizzle-orm';
import type { Db, Tx } from '../../../db/database.js';
import { findClientChange } from '../../../db/queries/client-changes.js';
import { clientChanges, clients, NAMED } from '../../../db/schema/index.js';
import type { ClientStatus } from '../../../workflows/contract/clients/statuses.js';
import type { ChangeRef, ClientChange } from '../../../workflows/contract/clients/client-change.js';
import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { clientRow } from './client-reservation.js';
import { requireThing } from './client-things.js';
import { writeFor } from '../../operation/operation-write.js';

export type ClientChangeRecords = ReturnType<typeof createClientChangeRecords>;

export interface ClientState {
  status: ClientStatus;
  /** demo data is in it */
  demo: boolean;
}

type Change = { clientId: number } & ChangeRef;
type Row = typeof clients.$inferSelect;

/** Changes of a client's row by operations: what was there before is kept with them, in `client_changes`. */
export function createClientChangeRecords({ db }: { db: Db }) {
  return {
    async readClientState({ clientId }: { clientId: number }, _step: StepContext): Promise<ClientState> {
      const { status, demo } = await clientRow(db, clientId);
      return { status, demo };
    },

    /** The client's things by the names that they will have; in a plan, which records no change, by the present ones. */
    async requireChangedThing({ clientId, change }: Change, step: StepContext): Promise<ClientThing> {
      const thing = requireThing(await clientRow(db, clientId));
      const recorded = await findClientChange(db, change);
      if (recorded?.clientId !== clientId && step.planning !== true)
        throw failure('InvalidInput', `no change of client ${clientId} is recorded for this operation`);
      const hostname = recorded?.changes.hostname ?? thing.names.hostname;
      return { ...thing, names: { ...thing.names, hostname } };
    },

    /** The change itself, with the former values kept; a later end of the licence unlocks an expired client. */
    recordChange: ({ clientId, change, set }: Change, step: StepContext): Promise<void> =>
      writeFor(db, step, async (tx) => {
        const row = await lockedRow(tx, clientId);
        const recorded = await findClientChange(tx, change);
        const changes = unlocking(row, { ...recorded?.changes, ...set });
        await requireFree(tx, clientId, changes.subdomain);
        // asked again: the row has the new values already
        if (recorded?.former == null) await keepFormer(tx, { clientId, change, row, changes });
        await apply(tx, clientId, changes);
      }),

    /** Undo of `recordChange`: nothing kept means that it has never written. */
    restoreRecord: ({ clientId, change }: Change, step: StepContext): Promise<void> =>
      writeFor(db, step, async (tx) => {
        const former = (await findClientChange(tx, change))?.former;
        if (former == null) return;
        await apply(tx, clientId, former);
        await tx.update(clientChanges).set({ former: null }).where(eq(clientChanges.operationId, change));
      }),
  };
}

async function lockedRow(tx: Tx, clientId: number): Promise<Row> {
  await tx.select({ id: clients.id }).from(clients).where(eq(clients.id, clientId)).for('update');
  return clientRow(tx, clientId);
}

/** The sweep that locks looks at the date; a new one takes the lock off at once. */
function unlocking(row: Row, changes: ClientChange): ClientChange {
  const { licenseExpiresAt } = changes;
  if (row.status !== 'expired' || licenseExpiresAt === undefined) return changes;
  const open = licenseExpiresAt === null || new Date(licenseExpiresAt) > new Date();
  return open ? { ...changes, status: 'active' } : changes;
}

async function requireFree(tx: Tx, clientId: number, subdomain: string | undefined): Promise<void> {
  if (subdomain === undefined) return;
  const [holder] = await tx
    .select({ id: clients.id })
    .from(clients)
    .where(and(eq(clients.subdomain, subdomain), ne(clients.id, clientId), NAMED));
  if (holder === undefined) return;
  throw failure('Conflict', `the subdomain ${subdomain} was taken by client ${holder.id} meanwhile`);
}

async function keepFormer(
  tx: Tx,
  { clientId, change, row, changes }: { clientId: number; change: string; row: Row; changes: ClientChange },
): Promise<void> {
  const values = { ...row, hostname: row.names?.hostname, licenseExpiresAt: isoOf(row.licenseExpiresAt) };
  const fields = Object.keys(changes) as (keyof ClientChange)[];
  const former = Object.fromEntries(fields.map((field) => [field, values[field]])) as ClientChange;
  await tx
    .insert(clientChanges)
    .values({ operationId: change, clientId, changes, former })
    .onConflictDoUpdate({ target: clientChanges.operationId, set: { former } });
}

function isoOf(moment: Date | null): string | null {
  return moment === null ? null : moment.toISOString();
}

async function apply(tx: Tx, clientId: number, changes: ClientChange): Promise<void> {
  const { hostname, licenseExpiresAt, ...columns } = changes;
  const moment = licenseExpiresAt == null ? licenseExpiresAt : new Date(licenseExpiresAt);
  await tx
    .update(clients)
    .set({
      ...columns,
      ...(moment === undefined ? {} : { licenseExpiresAt: moment }),
      ...(hostname === undefined
        ? {}
        : { names: sql`jsonb_set(${clients.names}, '{hostname}', to_jsonb(${hostname}::text))` }),
      updatedAt: new Date(),
    })
    .where(and(eq(clients.id, clientId), ne(clients.status, 'deleted')));
}
