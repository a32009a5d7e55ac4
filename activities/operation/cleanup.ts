import { and, asc, desc, eq, inArray } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import { operations, operationUndos, OPEN_UNDOS } from '../../db/schema/index.js';
import type { CleanupPlan, CleanupRecords } from '../../workflows/contract/operation/cleanup.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';
import { leftoversOf } from './open-undos.js';
import { lockOperation, notify } from './operation-log.js';

export type CleanupActivities = ReturnType<typeof createCleanupActivities>;

/** What clean-ups read and write of other operations' ledgers. */
export function createCleanupActivities(db: Db) {
  return {
    /** Open undos of a subject's operations, newest first, and whose commands must be ended before. */
    async listLeft({ subject }: { subject: string }, step: StepContext): Promise<CleanupPlan> {
      const rows = await openUndosOf(db, subject);
      step.summarize(`${rows.length} to be undone`);
      // its own steps have a name too
      const keys = new Set(['list', 'look-again']);
      const worked = new Map<string, string[]>();
      const undos = rows.map(({ undo, operation }) => {
        worked.set(operation.id, operation.places);
        const { id, title, activity, input, operationId: of } = undo;
        return { id, title, activity, input, of, key: uniqueKey(undo.step, keys) };
      });
      return {
        undos,
        jobs: [...worked].flatMap(([operation, places]) =>
          places.map((place) => ({ key: uniqueKey('end-jobs', keys), place, operation })),
        ),
      };
    },

    async countLeft({ subject }: { subject: string }, _step: StepContext): Promise<{ open: number }> {
      return { open: (await openUndosOf(db, subject)).length };
    },

    /** Closes an entry of the ledger, and with it what its operation says is left over. */
    settleUndo: ({ operation, id, error }: Parameters<CleanupRecords['settleUndo']>[0]): Promise<void> =>
      db.transaction(async (tx) => {
        await lockOperation(tx, operation);
        await tx
          .update(operationUndos)
          .set({ state: error === null ? 'undone' : 'failed', error, finishedAt: new Date() })
          .where(
            and(
              eq(operationUndos.operationId, operation),
              eq(operationUndos.id, id),
              inArray(operationUndos.state, OPEN_UNDOS),
            ),
          );
        const [row] = await tx.select().from(operations).where(eq(operations.id, operation));
        if (row === undefined) return;
        const leftovers = await leftoversOf(tx, row);
        await tx.update(operations).set({ leftovers }).where(eq(operations.id, operation));
        await notify(tx, operation);
      }),
  } satisfies CleanupRecords & Record<string, unknown>;
}

function openUndosOf(db: Db, subject: string) {
  return db
    .select({
      undo: operationUndos,
      operation: { id: operations.id, places: operations.places },
    })
    .from(operationUndos)
    .innerJoin(operations, eq(operations.id, operationUndos.operationId))
    .where(and(eq(operations.subject, subject), inArray(operationUndos.state, OPEN_UNDOS)))
    .orderBy(desc(operations.id), desc(operationUndos.seq), asc(operationUndos.id));
}

/** Steps of several operations, or of several tries, may have one name. */
function uniqueKey(step: string, keys: Set<string>): string {
  let key = step;
  for (let number = 2; keys.has(key); number += 1) key = `${step}-${number}`;
  keys.add(key);
  return key;
}
