import { and, eq, lte } from 'drizzle-orm';
import type { Db } from '../../../db/database.js';
import { clients, type MailState, mails, secrets } from '../../../db/schema/index.js';

type NewMail = Pick<
  typeof mails.$inferInsert,
  'effectKey' | 'clientId' | 'template' | 'recipient' | 'messageId'
>;

/** Writes `sending` before anything goes out. Answers the former state when this mail is not to be begun (again). */
export async function beginMail(db: Db, mail: NewMail): Promise<Exclude<MailState, 'failed'> | undefined> {
  const inserted = await db
    .insert(mails)
    .values({ ...mail, state: 'sending' })
    .onConflictDoNothing()
    .returning({ key: mails.effectKey });
  if (inserted.length > 0) return undefined;
  const again = await db
    .update(mails)
    .set({ state: 'sending', recipient: mail.recipient, error: null, finishedAt: null })
    .where(and(eq(mails.effectKey, mail.effectKey), eq(mails.state, 'failed')))
    .returning({ key: mails.effectKey });
  if (again.length > 0) return undefined;
  const [row] = await db
    .select({ state: mails.state })
    .from(mails)
    .where(eq(mails.effectKey, mail.effectKey));
  return row === undefined || row.state === 'failed' ? undefined : row.state;
}

/** A mail found in `sending` was under way when its attempt died: nobody knows, so it is not repeated. */
export async function closePast(
  db: Db,
  key: string,
  past: Exclude<MailState, 'failed'>,
): Promise<'sent' | 'maybe_sent'> {
  if (past !== 'sending') return past;
  await finishMail(db, key, 'maybe_sent', 'the attempt that was sending it ended before it could say how');
  const [row] = await db.select({ state: mails.state }).from(mails).where(eq(mails.effectKey, key));
  return row?.state === 'sent' ? 'sent' : 'maybe_sent';
}

/** Ends a mail that is under way; one that has ended otherwise meanwhile stays as it is. */
export async function finishMail(
  db: Db,
  key: string,
  state: 'failed' | 'maybe_sent',
  error: string,
): Promise<void> {
  await db
    .update(mails)
    .set({ state, error, finishedAt: new Date() })
    .where(and(eq(mails.effectKey, key), eq(mails.state, 'sending')));
}

/** A client who was told the password that `adminPassword` (a secret's id) stands for. */
export interface ToldClient {
  clientId: number;
  adminPassword: string | null;
}

/** In one transaction, so that a password is never kept after its mail, nor erased without one. */
export async function recordSent(db: Db, key: string, told: ToldClient | undefined): Promise<void> {
  await db.transaction(async (tx) => {
    await tx
      .update(mails)
      .set({ state: 'sent', error: null, finishedAt: new Date() })
      .where(eq(mails.effectKey, key));
    if (told === undefined || told.adminPassword === null) return;
    await tx
      .update(clients)
      .set({ adminPassword: null })
      .where(and(eq(clients.id, told.clientId), eq(clients.adminPassword, told.adminPassword)));
    // ids are ordered by time: those that it has replaced go with it, one that was sent meanwhile is still to be set
    await tx
      .delete(secrets)
      .where(
        and(
          eq(secrets.owner, `clients/${told.clientId}`),
          eq(secrets.name, 'admin_password'),
          lte(secrets.id, told.adminPassword),
        ),
      );
  });
}
