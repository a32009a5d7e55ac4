import { and, asc, desc, eq, gte, max, sql } from 'drizzle-orm';
import type { Db, Tx } from '../../db/database.js';
import { joinOutput } from '../../db/queries/operation-output.js';
import type { Secrets } from '../../db/secrets.js';
import { operationOutput } from '../../db/schema/index.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';
import type { OutputChunk } from '../hosts/connections.js';
import { notify } from './operation-log.js';

/** Of each step its first bytes are kept and as many of its newest: how it began, and why it ended. */
export const OUTPUT_KEPT_BYTES = 2 * 1024 * 1024;
/** The middle is removed by pieces of this size, so that few chunks cost more than their insert. */
const CUT_EVERY_BYTES = 64 * 1024;

/**
 * Writes a step's raw remote output, redacted: each byte once, though attempts repeat some and cut it differently.
 */
export function createStepOutput({
  db,
  secrets,
}: {
  db: Db;
  secrets: Pick<Secrets, 'learn' | 'keepKnown' | 'redactChunk'>;
}) {
  return (step: StepContext) => {
    // the worker that follows a job may not be the one that handed it its secrets
    const owner = ownerOf(step.subject);
    const learnt = secrets.learn(db, owner);
    learnt.catch(() => undefined);
    return async (chunk: OutputChunk): Promise<void> => {
      if ((await learnt) > 0) await secrets.keepKnown(db, owner);
      await db.transaction(async (tx) => {
        const fresh = await unwritten(tx, step, chunk);
        if (fresh === undefined) return;
        const text = secrets.redactChunk(fresh.text);
        await tx
          .insert(operationOutput)
          .values({ operationId: step.operation, step: step.step, ...fresh, text });
        await cutMiddle(tx, step, fresh);
        await notify(tx, `${step.operation}/${step.step}`);
      });
    };
  };
}

type Placed = OutputChunk & { position: number };

/** What of a chunk is not there yet: an attempt that takes over begins a little before its predecessor's end. */
async function unwritten(tx: Tx, step: StepContext, chunk: OutputChunk): Promise<Placed | undefined> {
  const { position, job, offset, end } = operationOutput;
  // two attempts of one step must not both find the same end
  await tx.execute(sql`select pg_advisory_xact_lock(hashtext(${`${step.operation}/${step.step}`}))`);
  const [newest] = await tx
    .select({ position, job, offset, end })
    .from(operationOutput)
    .where(isOf(step))
    .orderBy(desc(position))
    .limit(1);
  const from = newest?.job === chunk.job ? newest.end : await endOfJob(tx, step, chunk.job);
  if (from >= chunk.end) return undefined;
  const place = newest === undefined ? 0 : newest.position + newest.end - newest.offset;
  if (from <= chunk.offset) return { ...chunk, position: place };
  const text = Buffer.from(chunk.text)
    .subarray(from - chunk.offset)
    .toString();
  return { ...chunk, position: place, offset: from, text };
}

async function endOfJob(tx: Tx, step: StepContext, job: string): Promise<number> {
  const [written] = await tx
    .select({ end: max(operationOutput.end) })
    .from(operationOutput)
    .where(and(isOf(step), eq(operationOutput.job, job)));
  return written?.end ?? 0;
}

/** Chunks go that lie behind the kept beginning and before the kept newest; the newest stays, so each byte is once. */
async function cutMiddle(tx: Tx, step: StepContext, { position, offset, end }: Placed): Promise<void> {
  const total = position + end - offset;
  const tail = total - OUTPUT_KEPT_BYTES;
  const due = Math.floor(position / CUT_EVERY_BYTES) < Math.floor(total / CUT_EVERY_BYTES);
  if (tail <= OUTPUT_KEPT_BYTES || !due) return;
  const behind = sql`${operationOutput.position} + ${operationOutput.end} - ${operationOutput.offset} <= ${tail}`;
  await tx
    .delete(operationOutput)
    .where(and(isOf(step), gte(operationOutput.position, OUTPUT_KEPT_BYTES), behind));
}

function isOf({ operation, step }: StepContext) {
  return and(eq(operationOutput.operationId, operation), eq(operationOutput.step, step));
}

/** `client:42` → `clients/42`, the owner that its secrets are stored under. */
function ownerOf(subject: string): string {
  const [kind, id] = subject.split(':');
  return `${kind}s/${id}`;
}

/** The raw output of one step, in order. */
export async function readStepOutput(db: Db, operation: string, step: string): Promise<string> {
  const rows = await db
    .select()
    .from(operationOutput)
    .where(and(eq(operationOutput.operationId, operation), eq(operationOutput.step, step)))
    .orderBy(asc(operationOutput.position));
  return joinOutput(rows, 0);
}
