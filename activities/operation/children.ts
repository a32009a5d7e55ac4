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
  async function recorded(children: SilentChild[]): Promise<ChildReport[]> {
    const ids = children.map(({ operation }) => operation);
    const rows = await db.select().from(operations).where(inArray(operations.id, ids));
    return rows.map(({ id, subject, state, hold, error }) => ({
      subject,
      operation: id,
      state,
      ...(hold ? { hold: hold.number } : {}),
      ...(error ? { reason: error.message } : {}),
    }));
  }

  async function lookWithoutRow(child: SilentChild): Promise<ChildReport[]> {
    const { subject, operation } = child;
    const run = await describe(subject);
    if (run?.running === true && run.operation === operation) return [];
    // between the two looks it may have begun, and ended
    const [row] = await recorded([child]);
    return [row ?? { subject, operation, state: 'terminated', reason: 'it ended before it had begun' }];
  }

  return {
    async lookAtChildren({ children }) {
      if (children.length === 0) return [];
      const reports = await recorded(children);
      const known = new Set(reports.map(({ operation }) => operation));
      const unknown = children.filter(({ operation }) => !known.has(operation));
      const others = await Promise.all(unknown.map(lookWithoutRow));
      return [...reports, ...others.flat()];
    },
  };
}
