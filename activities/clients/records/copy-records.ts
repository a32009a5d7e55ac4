import { eq, sql } from 'drizzle-orm';
import type { Db } from '../../../db/database.js';
import { clients } from '../../../db/schema/index.js';
import type { Secrets } from '../../../db/secrets.js';
import type { CopyPlan } from '../../../workflows/contract/clients/clients.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { clientRow } from './client-reservation.js';
import { requireThing } from './client-things.js';
import { writeFor } from '../../operation/operation-write.js';

export type CopyRecords = ReturnType<typeof createCopyRecords>;

interface CopyParts {
  db: Db;
  secrets: Secrets;
  /** whether a copy of this product has the source's application key */
  sharesKeyOf(product: string): boolean;
}

interface CopyWish {
  clientId: number;
  sourceId: number;
}

/** What a copy of one client into another starts from, and what of it is recorded. */
export function createCopyRecords({ db, secrets, sharesKeyOf }: CopyParts) {
  const find = async (id: number) => {
    const row = await clientRow(db, id);
    return { row, thing: requireThing(row) };
  };

  return {
    /** Changes nothing: source and target, and the target with the source's version. */
    async findCopy({ clientId, sourceId }: CopyWish, _step: StepContext): Promise<CopyPlan> {
      const [source, target] = [await find(sourceId), await find(clientId)];
      if (target.row.kind === 'client')
        throw failure('InvalidInput', `client ${clientId} is of kind client, no demo or test`);
      if (source.thing.names.product !== target.thing.names.product)
        throw failure('InvalidInput', `clients ${sourceId} and ${clientId} are of different products`);
      const next = {
        ...target.thing,
        names: { ...target.thing.names, image: source.thing.names.image },
      };
      return {
        ...{ source: source.thing, target: target.thing, next },
        versionTag: source.row.versionTag,
        sharesKey: sharesKeyOf(source.thing.names.product),
      };
    },

    /** Where the profile says so, the source's application key is the target's from now on. */
    async adoptApplicationKey({ clientId, sourceId }: CopyWish, step: StepContext): Promise<void> {
      const { thing } = await find(sourceId);
      const value = await secrets.reveal(db, thing.names.secrets.applicationKey);
      if (value === undefined) throw failure('NotFound', `client ${sourceId} has no application key`);
      await writeFor(db, step, async (tx) => {
        const place = { owner: `clients/${clientId}`, name: 'application_key' };
        await secrets.eraseAllOf(tx, place.owner, place.name);
        const id = await secrets.store(tx, place, value);
        await tx
          .update(clients)
          .set({ names: sql`jsonb_set(${clients.names}, '{secrets,applicationKey}', to_jsonb(${id}::text))` })
          .where(eq(clients.id, clientId));
      });
    },
  };
}
