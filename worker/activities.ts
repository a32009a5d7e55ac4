import type { AcmeSettings } from '../activities/clients/certificates/certbot.js';
import { createClientActivities } from '../activities/clients/activities.js';
import { createSmtpTransport, type MailTransport, parseSmtpUrl } from '../activities/mail/transport.js';
import { createServerActivities } from '../activities/servers/activities.js';
import { createServerKeeper } from '../activities/servers/jobs.js';
import { activityName, type Wing } from '../workflows/contract/operation/activity-names.js';
import { type ConnectionParts, createConnections } from './connections.js';

export interface ActivityParts extends ConnectionParts {
  smtpUrl: string | null;
  mailFrom: string;
  /** absent: what certbot on the servers asks by itself */
  acme?: AcmeSettings;
  /** hour of a client's day at which reminders of its licence go out; default 9 */
  expiryHour?: number;
  /** tests let a year pass */
  now?: () => Date;
}

/** Activities by wing; the names of Temporal are made of both. */
export type WingActivities = Partial<Record<Wing, object>>;

/** What the wings bring to the worker: activities that acts of workflows name, and keepers of their places. */
export function createWings(parts: ActivityParts) {
  const { db, secrets, smtpUrl, mailFrom: from, expiryHour = 9, graceDays = 0 } = parts;
  const { acme, now } = parts;
  const connections = createConnections(parts);
  const clients = createClientActivities({
    ...{ db, secrets, connections, from, expiryHour, graceDays },
    transport: mailTransport(smtpUrl),
    ...(acme === undefined ? {} : { acme }),
    ...(now === undefined ? {} : { now }),
  });
  const servers = createServerActivities({ db, connections });
  return { activities: { clients, servers }, places: { server: createServerKeeper(connections) } };
}

/** As Temporal knows them: `clients.ensureDatabase`. */
export function nameActivities(wings: WingActivities): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(wings).flatMap(([wing, activities]) =>
      Object.entries(activities).map(([name, act]) => [activityName(wing as Wing, name), act] as const),
    ),
  );
}

export function mailTransport(smtpUrl: string | null): MailTransport {
  return smtpUrl === null ? NO_MAIL_SERVER : createSmtpTransport(parseSmtpUrl(smtpUrl));
}

const NO_MAIL_SERVER: MailTransport = {
  name: 'none',
  send: () =>
    Promise.resolve({ kind: 'refused', permanent: true, reason: 'no mail server is configured (SMTP_URL)' }),
};
