import { inArray } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import { operations } from '../../db/schema/index.js';
import type { Describe } from './subjects.js';
import type { ChildReport, FanOutRecords, SilentChild } from '../../workflows/contract/operation/fan-out.js';

/**
 * How children of a fan-out are, by their records: the minute sweep keeps those true when a child died unheard. Of one
 * that never got a record Temporal knows whether it still runs.
 */
export function createFanOutRecords({ db, describe }: { db: Db; describe: Describe }): FanOutRecords {
  async function lookWithoutRow({ subject, operation }: SilentChild): Promise<ChildReport[]> {
    const run = await describe(subject);
    if (run?.running === true && run.operation === operation) return [];
    return [{ subject, operation, state: 'terminated', reason: 'it ended before it had begun' }];
  }

  return {
    async lookAtChildren({ children }) {
      if (children.length === 0) return [];
      const ids = children.map(({ operation }) => operation);
      const rows = await db.select().from(operations).where(inArray(operations.id, ids));
      const known = new Set(rows.map(({ id }) => id));
      const unknown = children.filter(({ operation }) => !known.has(operation));
      const others = await Promise.all(unknown.map(lookWithoutRow));
      const reports = rows.map(
        ({ id, subject, state, hold, error }): ChildReport => ({
          subject,
          operation: id,
          state,
          ...(hold ? { hold: hold.number } : {}),
          ...(error ? { reason: error.message } : {}),
        }),
      );
      return [...reports, ...others.flat()];
    },
  };
}
