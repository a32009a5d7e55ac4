import { inArray } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import { operations } from '../../db/schema/index.js';
import type { ChildReport, FanOutRecords } from '../../workflows/contract/fan-out.js';

/** How children of a fan-out are, by their records: the minute sweep keeps those true when a child died unheard. */
export function createFanOutRecords(db: Db): FanOutRecords {
  return {
    async lookAtChildren({ children }) {
      if (children.length === 0) return [];
      const ids = children.map(({ operation }) => operation);
      const rows = await db.select().from(operations).where(inArray(operations.id, ids));
      return rows.map(
        ({ id, subject, state, hold, error }): ChildReport => ({
          subject,
          operation: id,
          state,
          ...(hold ? { hold: hold.number } : {}),
          ...(error ? { reason: error.message } : {}),
        }),
      );
    },
  };
}
