import { and, eq, max, sql } from 'drizzle-orm';
import type { Db, Tx } from '../../db/database.js';
import { redactChunk } from '../../db/redaction.js';
import type { Secrets } from '../../db/secrets.js';
import { operationOutput } from '../../db/schema/index.js';
import type { StepContext } from '../../workflows/contract/step.js';
import type { OutputChunk } from '../connections.js';
import { notify } from './operation-log.js';

/** Per step and job; a build that prints more is read from its end on the host. The rest is cut and marked. */
export const OUTPUT_LIMIT_BYTES = 4 * 1024 * 1024;

/**
 * Writes a step's raw remote output, redacted: each byte once, though attempts repeat some and cut it differently.
 */
export function createStepOutput({
  db,
  secrets,
}: {
  db: Db;
  secrets: Pick<Secrets, 'learn' | 'valuesInUse'>;
}) {
  return (step: StepContext) => {
    // the worker that follows a job may not be the one that handed it its secrets
    const learnt = secrets.learn(db, ownerOf(step.subject));
    learnt.catch(() => undefined);
    return async (chunk: OutputChunk): Promise<void> => {
      await learnt;
      await db.transaction(async (tx) => {
        const fresh = await unwritten(tx, step, chunk);
        if (fresh === undefined) return;
        const text = redactChunk(fresh.text, secrets.valuesInUse());
        const cut = fresh.end > OUTPUT_LIMIT_BYTES ? `${text}\n… output is cut here …\n` : text;
        await tx
          .insert(operationOutput)
          .values({ operationId: step.operation, step: step.step, ...fresh, text: cut });
        await notify(tx, step.operation);
      });
    };
  };
}

/** What of a chunk is not there yet: an attempt that takes over begins a little before its predecessor's end. */
async function unwritten(tx: Tx, step: StepContext, chunk: OutputChunk): Promise<OutputChunk | undefined> {
  const { operationId, step: stepColumn, job, end } = operationOutput;
  // two attempts of one step must not both find the same end
  await tx.execute(sql`select pg_advisory_xact_lock(hashtext(${`${step.operation}/${step.step}`}))`);
  const [written] = await tx
    .select({ end: max(end) })
    .from(operationOutput)
    .where(and(eq(operationId, step.operation), eq(stepColumn, step.step), eq(job, chunk.job)));
  const from = written?.end ?? 0;
  if (from >= chunk.end || from > OUTPUT_LIMIT_BYTES) return undefined;
  if (from <= chunk.offset) return chunk;
  const text = Buffer.from(chunk.text)
    .subarray(from - chunk.offset)
    .toString();
  return { ...chunk, offset: from, text };
}

/** `client:42` → `clients/42`, the owner that its secrets are stored under. */
function ownerOf(subject: string): string {
  const [kind, id] = subject.split(':');
  return `${kind}s/${id}`;
}

/** The raw output of one step, in order. */
export async function readStepOutput(db: Db, operation: string, step: string): Promise<string> {
  const rows = await db
    .select({ text: operationOutput.text })
    .from(operationOutput)
    .where(and(eq(operationOutput.operationId, operation), eq(operationOutput.step, step)))
    .orderBy(sql`${operationOutput.time}, ${operationOutput.offset}`);
  return rows.map((row) => row.text).join('');
}
