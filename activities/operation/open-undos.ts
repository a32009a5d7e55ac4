import { and, desc, eq, inArray } from 'drizzle-orm';
import type { Queries, Tx } from '../../db/database.js';
import { OPEN_UNDOS, type operations, operationUndos } from '../../db/schema/index.js';
import type { Leftover } from '../../workflows/contract/operation/operation.js';

/** Open undos of an operation, newest first: the order of undoing. */
export function findOpenUndos(db: Queries, operation: string) {
  return db
    .select()
    .from(operationUndos)
    .where(and(eq(operationUndos.operationId, operation), inArray(operationUndos.state, OPEN_UNDOS)))
    .orderBy(desc(operationUndos.seq));
}

/**
 * What an operation leaves by the word of its ledger: listed leftovers whose undo is done by now go, open undos that
 * are not listed come. Leftovers without an undo (a skipped removal) stay.
 */
export async function leftoversOf(
  tx: Tx,
  { id, leftovers }: Pick<typeof operations.$inferSelect, 'id' | 'leftovers'>,
): Promise<Leftover[]> {
  const ledger = await tx
    .select()
    .from(operationUndos)
    .where(eq(operationUndos.operationId, id))
    .orderBy(desc(operationUndos.seq));
  const open = ledger.filter(({ state }) => OPEN_UNDOS.includes(state));
  const stays = ({ step }: Leftover) =>
    !ledger.some((undo) => undo.step === step) || open.some((undo) => undo.step === step);
  const listed = leftovers.filter(stays);
  const missing = open.filter((undo) => !listed.some(({ step }) => step === undo.step));
  return [
    ...listed,
    ...missing.map(({ step, title, error }) => ({
      step,
      what: title,
      remedy: `POST /operations/${id}/cleanup runs it again`,
      error: error ?? 'not undone yet',
    })),
  ];
}
