import { eq } from 'drizzle-orm';
import type { Queries } from '../../db/database.js';
import { notices, operations } from '../../db/schema/index.js';
import { NIGHTLY_ACTOR } from '../../workflows/contract/operation/cleanup.js';
import { hintOf, kindOf } from '../../workflows/contract/operation/failures.js';
import type { Hold, StepError } from '../../workflows/contract/operation/operation.js';

interface Noticed {
  id: string;
  kind: string;
  title: string;
}

/** Operations that are only means of others: nobody is told of them. */
const QUIET_KINDS = ['lend'];

/** A step waits for a person. A later hold of the same operation is another cause. */
export async function noticeHold(db: Queries, operation: Noticed, hold: Hold): Promise<void> {
  const { number, step, until, actions, error } = hold;
  const limit =
    until === null ? 'It waits without a limit.' : `Until ${until}; then it rolls back by itself.`;
  await queue(db, operation, {
    cause: `hold:${number}`,
    says: 'waits for a person',
    lines: [`Step "${step}" failed.`, ...linesOf(error), limit, `Possible: ${actions.join(', ')}.`],
  });
}

export type NoticedEnd = 'rollback_incomplete' | 'terminated';

export async function noticeEnd(
  db: Queries,
  operation: Noticed,
  { state, error }: { state: NoticedEnd; error: StepError | null },
): Promise<void> {
  if (state === 'rollback_incomplete' && (await isOfNight(db, operation))) return;
  const lines = error === null ? [] : linesOf(error);
  const remedy = 'What it left is listed with it; POST /operations/{id}/cleanup removes it.';
  await queue(db, operation, { cause: state, says: state.replaceAll('_', ' '), lines: [...lines, remedy] });
}

/** What it cleans up was told when it was left; it would be told again every night. */
async function isOfNight(db: Queries, { id, kind }: Noticed): Promise<boolean> {
  if (kind !== 'cleanup') return false;
  const [row] = await db.select({ actor: operations.actor }).from(operations).where(eq(operations.id, id));
  return row?.actor === NIGHTLY_ACTOR;
}

/** Somebody may stand between Slipway and the server: told also where nobody was asked, and once. */
export async function noticeHostKey(db: Queries, operation: Noticed, error: StepError): Promise<void> {
  const [told] = await db.select().from(notices).where(eq(notices.operationId, operation.id)).limit(1);
  if (told !== undefined) return;
  const says = 'met another host key than the one that it knows';
  await queue(db, operation, { cause: 'host-key', says, lines: linesOf(error) });
}

/** Its workflow code fails again and again: a bug, which a fixed deployment heals. */
export async function noticeStuck(db: Queries, operation: Noticed): Promise<void> {
  const lines = ['Its workflow code fails repeatedly. A fixed version of Slipway lets it go on where it is.'];
  await queue(db, operation, { cause: 'stuck', says: 'is stuck', lines });
}

/** The client is served without TLS meanwhile. */
export async function noticeCertificate(db: Queries, operation: Noticed, error: Error): Promise<void> {
  const hint = hintOf(error);
  const lines = linesOf({
    kind: kindOf(error),
    message: error.message,
    ...(hint === undefined ? {} : { hint }),
  });
  await queue(db, operation, { cause: 'certificate', says: 'got no certificate', lines });
}

function linesOf({ kind, message, hint }: StepError): string[] {
  return [`${kind}: ${message}`, ...(hint === undefined ? [] : [`Hint: ${hint}`])];
}

interface Notice {
  cause: string;
  says: string;
  lines: string[];
}

async function queue(db: Queries, operation: Noticed, { cause, says, lines }: Notice): Promise<void> {
  const { id, kind, title } = operation;
  if (QUIET_KINDS.includes(kind)) return;
  const subject = `${title} ${says}`;
  const body = [`${subject}.`, '', ...lines].join('\n');
  await db
    .insert(notices)
    .values({ id: `${id}:${cause}`, operationId: id, subject, body })
    .onConflictDoNothing();
}
