import type { Db } from '../../../db/database.js';
import type { Secrets } from '../../../db/secrets.js';
import { failure, kindOf } from '../../../workflows/contract/operation/failures.js';
import type { NotifyExpiryParams } from '../../../workflows/contract/clients/licenses.js';
import { effectKey, type StepContext } from '../../../workflows/contract/operation/step.js';
import type { ProductProfile } from '../product/profile.js';
import { isMailAddress } from '../../mail/address.js';
import { calendarDays } from '../licenses/reminder-plan.js';
import { beginMail, closePast, finishMail, recordSent } from './mail-records.js';
import { composeMessage, type MailFacts, type MailTemplate, renderMail } from '../../mail/message.js';
import { reminderKey, recordReminder } from './reminder-records.js';
import { findRecipient, type Recipient } from './recipient.js';
import type { MailOutcome, MailTransport } from '../../mail/transport.js';

export interface MailOptions {
  db: Db;
  secrets: Secrets;
  transport: MailTransport;
  profiles: ReadonlyMap<string, ProductProfile>;
  /** sender's address; Message-IDs bear its domain */
  from: string;
  /** tests let a year pass */
  now?: () => Date;
}

export interface ClientMail {
  clientId: number;
  template: MailTemplate;
  /** id of the secret that is set now; without it the one in the client's row, when the caller gave it */
  password?: string;
}

export interface MailResult {
  /** `maybe_sent`: the server's final answer was lost; shown, never repeated */
  state: 'sent' | 'maybe_sent';
  withPassword: boolean;
}

export interface ExpiryReminderResult {
  /** `superseded`: the licence has another end by now, nothing was sent */
  state: MailResult['state'] | 'superseded';
}

export type MailActivities = ReturnType<typeof createMailActivities>;

export function createMailActivities(options: MailOptions) {
  if (!isMailAddress(options.from)) throw new Error('the sender of mails is not a mail address');
  return {
    /**
     * Mails the client's address, at most once per step of an operation (`effectKey`). The password is in it only
     * while it is stored and was given by the caller; with its acceptance the stored one is erased.
     * `InvalidInput`: the address is none. `Unavailable`: the server has it not. `CommandFailed`: it refuses it.
     */
    async sendClientMail(
      { clientId, template, password: told }: ClientMail,
      step: StepContext,
    ): Promise<MailResult> {
      const recipient = await findRecipient(options.db, clientId);
      // the row may already name a password that the panel sent meanwhile and nobody has set yet
      const found =
        told === undefined ? recipient : { ...recipient, adminPassword: told, adminPasswordGiven: true };
      const password = template === 'send_success' ? await givenPassword(options, found) : undefined;
      const state = await sendOnce(options, { found, template, password, key: effectKey(step) }, step);
      // of a mail that an earlier attempt has sent nobody knows any more what was in it
      return { state: state.state, withPassword: password !== undefined && !state.earlier };
    },

    /**
     * Tells the client that its licence ends: at most once per licence end and reminder, whichever operation does it.
     * Nothing is sent when the licence has another end by now. A refusal for good is recorded with the reminder.
     */
    async sendExpiryReminder(reminder: NotifyExpiryParams, step: StepContext): Promise<ExpiryReminderResult> {
      const { db } = options;
      try {
        const found = await findRecipient(db, reminder.clientId);
        if (found.licenseExpiresAt?.toISOString() !== reminder.licenseEnd) {
          await recordReminder(db, reminder, { state: 'superseded' });
          step.summarize('the licence has another end by now: nothing was sent');
          return { state: 'superseded' };
        }
        const writing = {
          found,
          template: 'send_expire',
          password: undefined,
          key: reminderKey(reminder),
        } as const;
        const { state } = await sendOnce(options, writing, step);
        await recordReminder(db, reminder, { state });
        return { state };
      } catch (error) {
        if (isFinal(error))
          await recordReminder(db, reminder, { state: 'failed', error: (error as Error).message });
        throw error;
      }
    },
  };
}

/** Asking again tomorrow would change nothing; what is only away is tried again. */
function isFinal(error: unknown): boolean {
  return ['InvalidInput', 'NotFound', 'CommandFailed'].includes(kindOf(error));
}

interface Sending {
  found: Recipient;
  template: MailTemplate;
  password: string | undefined;
  /** of the cause: the mail goes out once for it */
  key: string;
}

async function sendOnce(
  options: MailOptions,
  { found, template, password, key }: Sending,
  step: StepContext,
): Promise<{ state: MailResult['state']; earlier: boolean }> {
  const { db, from, transport } = options;
  const messageId = `<${key.toLowerCase()}@${from.slice(from.indexOf('@') + 1)}>`;
  // written before the row says so: from `sending` on, a death means that nobody knows
  const mail = await writeMail(options, { found, template, messageId, password });
  const { clientId, email: recipient } = found;
  const past = await beginMail(db, { effectKey: key, clientId, template, recipient, messageId });
  if (past !== undefined) return { state: await closePast(db, key, past), earlier: true };

  const outcome = withoutAddress(await transport.send(mail, step.signal), found.email);
  if (outcome.kind === 'refused') return recordRefusal(options, key, outcome);
  if (outcome.kind === 'unknown') {
    await finishMail(db, key, 'maybe_sent', outcome.reason);
    step.summarize('the mail server ended without a final answer: the mail may have been sent');
    return { state: 'maybe_sent', earlier: false };
  }
  await recordSent(db, key, password === undefined ? undefined : found);
  return { state: 'sent', earlier: false };
}

/** Servers repeat the address in what they say; failures go where no personal data may be. */
function withoutAddress(outcome: MailOutcome, address: string): MailOutcome {
  if (outcome.kind === 'accepted') return outcome;
  return { ...outcome, reason: outcome.reason.replaceAll(address, 'the client') };
}

async function givenPassword({ db, secrets }: MailOptions, found: Recipient): Promise<string | undefined> {
  if (found.adminPassword === null || !found.adminPasswordGiven) return undefined;
  return secrets.reveal(db, found.adminPassword);
}

interface Writing {
  found: Recipient;
  template: MailTemplate;
  messageId: string;
  password: string | undefined;
}

async function writeMail(
  { profiles, from, now = () => new Date() }: MailOptions,
  { found, template, messageId, password }: Writing,
) {
  const locale = profiles.get(found.product)?.locale ?? 'en';
  const text = renderMail({ template, locale, facts: factsOf(found, { locale, password, now: now() }) });
  const raw = await composeMessage({ ...text, from, to: found.email, messageId, date: new Date() });
  return { from, to: found.email, raw };
}

interface Telling {
  locale: string;
  password: string | undefined;
  now: Date;
}

function factsOf(found: Recipient, { locale, password, now }: Telling): MailFacts {
  const end = found.licenseExpiresAt;
  return {
    name: found.name,
    // with a certificate nginx leads on to https; without one this still opens
    url: `http://${found.hostname}/`,
    login: found.login,
    ...(password === undefined ? {} : { password }),
    ...(end === null
      ? {}
      : {
          licenseEnd: dateText(end, locale, found.timezone),
          // days as the client's calendar counts them; on the last one it may have ended already
          daysLeft: end > now ? calendarDays(now, end, found.timezone) : -1,
        }),
  };
}

function dateText(date: Date, locale: string, timeZone: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeStyle: 'short', timeZone }).format(date);
}

async function recordRefusal(
  options: MailOptions,
  key: string,
  outcome: Extract<MailOutcome, { kind: 'refused' }>,
): Promise<never> {
  await finishMail(options.db, key, 'failed', outcome.reason);
  throw outcome.permanent
    ? failure(
        'CommandFailed',
        `the mail server ${options.transport.name} refuses the mail: ${outcome.reason}`,
        {
          hint: 'check the address of the client and the sender',
        },
      )
    : failure(
        'Unavailable',
        `the mail server ${options.transport.name} did not take the mail: ${outcome.reason}`,
      );
}
