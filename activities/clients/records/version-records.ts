import { eq, sql } from 'drizzle-orm';
import type { Db } from '../../../db/database.js';
import { clients } from '../../../db/schema/index.js';
import type { VersionChange } from '../../../workflows/contract/clients/clients.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { compareVersions, splitImage } from '../../../workflows/contract/clients/versions.js';
import { clientRow } from './client-reservation.js';
import { requireThing } from './client-things.js';
import { writeFor } from '../../operation/operation-write.js';

export type VersionRecords = ReturnType<typeof createVersionRecords>;

/** Which version a client has, and what another one would make of it. */
export function createVersionRecords(db: Db) {
  return {
    /** Changes nothing. Without `versionTag` the present version; `InvalidInput` for a lower one without `force`. */
    async foreseeVersion(
      { clientId, versionTag, force = false }: { clientId: number; versionTag?: string; force?: boolean },
      _step: StepContext,
    ): Promise<VersionChange> {
      const row = await clientRow(db, clientId);
      const { names, operation } = requireThing(row);
      const wanted = versionTag ?? row.versionTag;
      const lower = compareVersions(wanted, row.versionTag) < 0;
      if (lower && !force)
        throw failure('InvalidInput', `${wanted} is lower than ${row.versionTag} of client ${clientId}`, {
          hint: 'force=true switches without migrations: the data stay as the higher version left them',
        });
      const [image] = splitImage(names.image);
      return {
        current: { names, operation },
        next: { names: { ...names, image: `${image}:${wanted}` }, operation },
        versionTag: wanted,
        migrates: !lower,
      };
    },

    /** `image` becomes part of the client's names, so that whatever comes later makes the same containers. */
    async recordClientVersion(
      { clientId, versionTag, image }: { clientId: number; versionTag: string; image: string },
      step: StepContext,
    ): Promise<void> {
      await writeFor(db, step, (tx) =>
        tx
          .update(clients)
          .set({
            versionTag,
            names: sql`jsonb_set(${clients.names}, '{image}', to_jsonb(${image}::text))`,
            updatedAt: new Date(),
          })
          .where(eq(clients.id, clientId)),
      );
    },
  };
}
