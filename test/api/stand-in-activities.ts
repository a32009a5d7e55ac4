import { eq, sql } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import { operations } from '../../db/schema/index.js';
import type { HoldAction } from '../../workflows/contract/operation/operation.js';
import type { DecisionPayload } from '../../workflows/contract/operation/signals.js';

export type StandInActivities = ReturnType<typeof createStandInActivities>;

/** Writes the projection as the real records do, as far as the API reads it. */
export function createStandInActivities(db: Db) {
  const notify = (id: string) => db.execute(sql`select pg_notify('slipway_operation', ${id})`);
  return {
    async begin(id: string, runId: string): Promise<void> {
      await db
        .update(operations)
        .set({ runId, state: 'running', confirmedAt: new Date() })
        .where(eq(operations.id, id));
      await notify(id);
    },
    async decided(id: string, action: string, payload: DecisionPayload): Promise<void> {
      const [row] = await db.select().from(operations).where(eq(operations.id, id));
      const ignored =
        payload.note === 'too late' ? 'past_commit' : payload.note === 'wrong' ? 'not now' : undefined;
      const { id: decision, hold, note, actor = 'temporal' } = payload;
      const decisions = [
        ...(row?.decisions ?? []),
        {
          action: action as HoldAction,
          time: new Date().toISOString(),
          actor,
          accepted: ignored === undefined,
          ...(ignored === undefined ? {} : { ignored }),
          ...(decision === undefined ? {} : { id: decision }),
          ...(hold === undefined ? {} : { hold }),
          ...(note === undefined ? {} : { note }),
        },
      ];
      await db.update(operations).set({ decisions }).where(eq(operations.id, id));
      await notify(id);
    },
    async finish(id: string): Promise<void> {
      await db
        .update(operations)
        .set({ state: 'succeeded', endedAt: new Date() })
        .where(eq(operations.id, id));
      await notify(id);
    },
  };
}
