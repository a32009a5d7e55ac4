import { and, eq, ne } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import { clients, servers } from '../../db/schema/index.js';
import type { Secrets } from '../../db/secrets.js';
import { failure } from '../../workflows/contract/failures.js';
import { effectKey, type StepContext } from '../../workflows/contract/step.js';
import type { ProductProfile } from '../product/profile.js';
import { isMailAddress } from './address.js';
import { beginMail, closePast, finishMail, recordSent } from './mail-records.js';
import { composeMessage, type MailFacts, type MailTemplate, renderMail } from './message.js';
import type { MailOutcome, MailTransport } from './transport.js';

export interface MailOptions {
  db: Db;
  secrets: Secrets;
  transport: MailTransport;
  profiles: ReadonlyMap<string, ProductProfile>;
  /** sender's address; Message-IDs bear its domain */
  from: string;
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
      const recipient = await findRecipient(options, clientId);
      // the row may already name a password that the panel sent meanwhile and nobody has set yet
      const found =
        told === undefined ? recipient : { ...recipient, adminPassword: told, adminPasswordGiven: true };
      const key = effectKey(step);
      const messageId = `<${key.toLowerCase()}@${options.from.slice(options.from.indexOf('@') + 1)}>`;
      const password = template === 'send_success' ? await givenPassword(options, found) : undefined;
      // written before the row says so: from `sending` on, a death means that nobody knows
      const mail = await writeMail(options, { found, template, messageId, password });
      const past = await beginMail(options.db, {
        effectKey: key,
        clientId,
        template,
        recipient: found.email,
        messageId,
      });
      if (past !== undefined) return { state: await closePast(options.db, key, past), withPassword: false };

      const outcome = withoutAddress(await options.transport.send(mail, step.signal), found.email);
      if (outcome.kind === 'refused') return recordRefusal(options, key, outcome);
      if (outcome.kind === 'unknown') {
        await finishMail(options.db, key, 'maybe_sent', outcome.reason);
        step.summarize('the mail server ended without a final answer: the mail may have been sent');
        return { state: 'maybe_sent', withPassword: password !== undefined };
      }
      await recordSent(options.db, key, password === undefined ? undefined : found);
      return { state: 'sent', withPassword: password !== undefined };
    },
  };
}

/** Servers repeat the address in what they say; failures go where no personal data may be. */
function withoutAddress(outcome: MailOutcome, address: string): MailOutcome {
  if (outcome.kind === 'accepted') return outcome;
  return { ...outcome, reason: outcome.reason.replaceAll(address, 'the client') };
}

interface Recipient {
  clientId: number;
  email: string;
  name: string;
  hostname: string;
  login: string;
  timezone: string;
  licenseExpiresAt: Date | null;
  /** secret's id */
  adminPassword: string | null;
  adminPasswordGiven: boolean;
  product: string;
}

async function findRecipient({ db }: MailOptions, clientId: number): Promise<Recipient> {
  const [row] = await db
    .select({ client: clients, server: servers })
    .from(clients)
    .innerJoin(servers, eq(servers.id, clients.serverId))
    .where(and(eq(clients.id, clientId), ne(clients.status, 'deleted')));
  if (row === undefined) throw failure('NotFound', `client ${clientId} does not exist`);
  const { client, server } = row;
  if (!isMailAddress(client.email)) {
    throw failure('InvalidInput', `client ${clientId} has no usable mail address`, {
      hint: 'correct "email" with PUT /clients/{id}',
    });
  }
  return {
    clientId,
    email: client.email,
    name: client.name,
    hostname: client.names?.hostname ?? `${client.subdomain}.${server.domain}`,
    login: client.adminLogin,
    timezone: client.timezone,
    licenseExpiresAt: client.licenseExpiresAt,
    adminPassword: client.adminPassword,
    adminPasswordGiven: client.adminPasswordGiven,
    product: server.product,
  };
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

async function writeMail({ profiles, from }: MailOptions, { found, template, messageId, password }: Writing) {
  const locale = profiles.get(found.product)?.locale ?? 'en';
  const text = renderMail({ template, locale, facts: factsOf(found, locale, password) });
  const raw = await composeMessage({ ...text, from, to: found.email, messageId, date: new Date() });
  return { from, to: found.email, raw };
}

const DAY_MS = 86_400_000;

function factsOf(found: Recipient, locale: string, password: string | undefined): MailFacts {
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
          daysLeft: Math.floor((end.getTime() - Date.now()) / DAY_MS),
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
