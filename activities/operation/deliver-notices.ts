import { and, asc, eq, inArray, lte, or, sql } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import { notices, type NoticeState } from '../../db/schema/index.js';
import { capText } from '../../workflows/contract/operation/failures.js';
import { composeMessage, textMail } from '../mail/message.js';
import type { MailTransport } from '../mail/transport.js';

export interface NoticesOptions {
  db: Db;
  transport: MailTransport;
  from: string;
  /** who is mailed; null: nobody */
  to: string | null;
  /** what is posted to; null: nothing */
  webhook: string | null;
  /** where people reach the API or its console, without a slash at its end; null: notices carry paths only */
  publicUrl: string | null;
}

type NoticeRow = typeof notices.$inferSelect;

/** Longer than one delivery may take, so that no two workers deliver the same notice. */
const LEASE_MS = 2 * 60_000;
/** A first delay of a minute, doubled up to an hour. */
const RETRY_MS = 60_000;
const LONGEST_RETRY_MS = 60 * 60_000;
/** What nobody could be told within a day, nobody needs to be told any more. */
const GIVE_UP_MS = 24 * 60 * 60_000;
/** The receiver is one robot of a chat; one that hangs must not keep the others. */
const POST_MS = 10_000;
/** Some seconds of work; the next turn takes the rest. */
const BATCH = 50;

export type NoticeActivities = ReturnType<typeof createNotices>;

/**
 * Mails and posts what is still to be told: each notice once per way. A lost final answer of the mail server is
 * `maybe_sent` and not repeated; a webhook that answered nothing gets the notice again, with the same `id`.
 */
export function createNotices(options: NoticesOptions) {
  return {
    async deliverNotices(): Promise<{ delivered: number; open: number }> {
      const taken = await lease(options.db);
      const open = await Promise.all(taken.map((notice) => deliver(options, notice)));
      const left = open.filter(Boolean).length;
      return { delivered: taken.length - left, open: left };
    },
  };
}

async function lease(db: Db): Promise<NoticeRow[]> {
  const due = db
    .select({ id: notices.id })
    .from(notices)
    .where(
      and(
        lte(notices.nextTryAt, sql`now()`),
        or(inArray(notices.mail, ['open', 'sending']), eq(notices.webhook, 'open')),
      ),
    )
    .orderBy(asc(notices.createdAt))
    .limit(BATCH)
    .for('update', { skipLocked: true });
  return db
    .update(notices)
    .set({ tries: sql`${notices.tries} + 1`, nextTryAt: new Date(Date.now() + LEASE_MS) })
    .where(inArray(notices.id, due))
    .returning();
}

/** Whether something of it is still to be told. */
async function deliver(options: NoticesOptions, notice: NoticeRow): Promise<boolean> {
  const [mail, webhook] = await Promise.all([mailIt(options, notice), postIt(options, notice)]);
  const late = Date.now() - notice.createdAt.getTime() > GIVE_UP_MS;
  const settle = (state: NoticeState): NoticeState => (state === 'open' && late ? 'refused' : state);
  const delay = Math.min(RETRY_MS * 2 ** (notice.tries - 1), LONGEST_RETRY_MS);
  const error = [mail.error, webhook.error].filter((part) => part !== undefined).join('; ');
  const states = { mail: settle(mail.state), webhook: settle(webhook.state) };
  await options.db
    .update(notices)
    .set({ ...states, error: error === '' ? null : capText(error), nextTryAt: new Date(Date.now() + delay) })
    .where(eq(notices.id, notice.id));
  return states.mail === 'open' || states.webhook === 'open';
}

interface Told {
  state: NoticeState;
  error?: string;
}

async function mailIt(
  { db, transport, from, to, ...options }: NoticesOptions,
  notice: NoticeRow,
): Promise<Told> {
  if (notice.mail === 'sending') {
    return {
      state: 'maybe_sent',
      error: 'the attempt that was sending the mail ended before it could say how',
    };
  }
  if (notice.mail !== 'open') return { state: notice.mail };
  if (to === null) return { state: 'off' };
  const messageId = `<${notice.id.toLowerCase().replaceAll(':', '.')}@${from.slice(from.indexOf('@') + 1)}>`;
  let raw: Buffer;
  try {
    const mail = textMail({ subject: notice.subject, text: textOf(notice, options) });
    raw = await composeMessage({ ...mail, from, to, messageId, date: new Date() });
  } catch (error) {
    // tried until it is given up: the others of the batch are not kept back
    return { state: 'open', error: `mail: not composed: ${String(error)}` };
  }
  await db.update(notices).set({ mail: 'sending' }).where(eq(notices.id, notice.id));
  const outcome = await transport.send({ from, to, raw }, AbortSignal.timeout(LEASE_MS / 2));
  if (outcome.kind === 'accepted') return { state: 'sent' };
  const error = `mail: ${outcome.reason}`;
  if (outcome.kind === 'unknown') return { state: 'maybe_sent', error };
  return { state: outcome.permanent ? 'refused' : 'open', error };
}

/** The shape that robots of WeChat Work take; others find the same in `text.content`. */
async function postIt({ webhook, ...options }: NoticesOptions, notice: NoticeRow): Promise<Told> {
  if (notice.webhook !== 'open') return { state: notice.webhook };
  if (webhook === null) return { state: 'off' };
  const body = { id: notice.id, msgtype: 'text', text: { content: textOf(notice, options) } };
  try {
    const answer = await fetch(webhook, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.timeout(POST_MS),
    });
    await answer.body?.cancel();
    if (answer.ok) return { state: 'sent' };
    // what the receiver calls our fault does not change by asking again, but for "slow down" and "too late"
    const final = answer.status >= 400 && answer.status < 500 && ![408, 429].includes(answer.status);
    return { state: final ? 'refused' : 'open', error: `webhook: answered ${answer.status}` };
  } catch (error) {
    return { state: 'open', error: `webhook: ${error instanceof Error ? error.name : 'not reachable'}` };
  }
}

function textOf({ operationId, body }: NoticeRow, { publicUrl }: Pick<NoticesOptions, 'publicUrl'>): string {
  return `${body}\n\n${publicUrl ?? ''}/operations/${operationId}\n`;
}
