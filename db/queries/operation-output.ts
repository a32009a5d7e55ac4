import { and, asc, eq, gte, lt, sql } from 'drizzle-orm';
import type { Queries } from '../database.js';
import { operationOutput } from '../schema/index.js';

type Chunk = Pick<typeof operationOutput.$inferSelect, 'position' | 'offset' | 'end' | 'text'>;

export interface OutputPage {
  text: string;
  /** bytes of the step's output up to the end of this page: `after` of the next one */
  cursor: number;
}

/**
 * The output of one step from byte `after` on, about `bytes` of it; null where there is none (yet). Costs the same at
 * any length: the key is the position.
 */
export async function readOutputPage(
  db: Queries,
  { operationId, step, after, bytes }: { operationId: string; step: string; after: number; bytes: number },
): Promise<OutputPage | null> {
  const { position, offset, end, text } = operationOutput;
  const behind = and(
    eq(operationOutput.operationId, operationId),
    eq(operationOutput.step, step),
    gte(position, after),
  );
  const first = db
    .select({ until: sql`min(${position}) + ${bytes}` })
    .from(operationOutput)
    .where(behind);
  const chunks = await db
    .select({ position, offset, end, text })
    .from(operationOutput)
    .where(and(behind, lt(position, sql`(${first})`)))
    .orderBy(asc(position));
  const last = chunks.at(-1);
  return last === undefined ? null : { text: joinOutput(chunks, after), cursor: endOf(last) };
}

/** Chunks in order as one text; where bytes are missing since `from`, a mark says how many. */
export function joinOutput(chunks: readonly Chunk[], from: number): string {
  let next = from;
  let joined = '';
  for (const chunk of chunks) {
    const missing = chunk.position - next;
    joined += missing > 0 ? `\n… ${missing} bytes are cut here …\n${chunk.text}` : chunk.text;
    next = endOf(chunk);
  }
  return joined;
}

function endOf({ position, offset, end }: Chunk): number {
  return position + end - offset;
}
