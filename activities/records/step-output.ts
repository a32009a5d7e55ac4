import { and, eq, sql } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import { redactChunk } from '../../db/redaction.js';
import type { Secrets } from '../../db/secrets.js';
import { operationOutput } from '../../db/schema/index.js';
import type { StepContext } from '../../workflows/contract/step.js';
import type { OutputChunk } from '../connections.js';
import { notify } from './operation-log.js';

/** Per step and job; a build that prints more is read from its end on the host. The rest is cut and marked. */
export const OUTPUT_LIMIT_BYTES = 4 * 1024 * 1024;

/**
 * Writes a step's raw remote output, redacted, in chunks by their offset: a chunk that a later attempt repeats is
 * written once.
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
    return async ({ job, offset, text }: OutputChunk): Promise<void> => {
      await learnt;
      if (offset > OUTPUT_LIMIT_BYTES) return;
      const row = { operationId: step.operation, step: step.step, job, offset };
      const safe = redactChunk(text, secrets.valuesInUse());
      const marked = offset + text.length > OUTPUT_LIMIT_BYTES ? `${safe}\n… output is cut here …\n` : safe;
      await db
        .insert(operationOutput)
        .values({ ...row, text: marked })
        .onConflictDoNothing();
      await notify(db, step.operation);
    };
  };
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
