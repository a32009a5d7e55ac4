import { createDockerActivities } from '../activities/docker/activities.js';
import { createMailActivities } from '../activities/mail/activities.js';
import { createSmtpTransport, type MailTransport, parseSmtpUrl } from '../activities/mail/transport.js';
import { createNginxActivities } from '../activities/nginx/activities.js';
import { createProductActivities } from '../activities/product/commands.js';
import { loadProfile, loadProfiles } from '../activities/product/profile.js';
import { createMoveActivities } from '../activities/moves/activities.js';
import { createClientPlaceRecords } from '../activities/records/client-places.js';
import { createClientRecords } from '../activities/records/client-records.js';
import { createCopyRecords } from '../activities/records/copy-records.js';
import { createVersionRecords } from '../activities/records/version-records.js';
import { createJobActivities } from '../activities/servers/jobs.js';
import { createProbes } from '../activities/servers/probes.js';
import { createSqlActivities } from '../activities/sql/activities.js';
import { type ConnectionParts, createConnections } from './connections.js';

export interface ActivityParts extends ConnectionParts {
  smtpUrl: string | null;
  mailFrom: string;
}

/** Every activity that acts of workflows name, with its ports. */
export function createActivities(parts: ActivityParts) {
  const { db, secrets, smtpUrl, mailFrom } = parts;
  const connections = createConnections(parts);
  const transport = mailTransport(smtpUrl);
  return {
    ...createClientRecords({ db, secrets, imageOf: (product) => loadProfile(product).image }),
    ...createClientPlaceRecords(db),
    ...createCopyRecords({
      ...{ db, secrets },
      sharesKeyOf: (product) => loadProfile(product).copy.applicationKey === 'source',
    }),
    ...createVersionRecords(db),
    ...createSqlActivities(connections),
    ...createDockerActivities(connections),
    ...createProductActivities(connections),
    ...createNginxActivities(connections),
    ...createMoveActivities(connections),
    ...createMailActivities({ db, secrets, transport, profiles: loadProfiles(), from: mailFrom }),
    ...createJobActivities(connections),
    ...createProbes(connections),
  };
}

export function mailTransport(smtpUrl: string | null): MailTransport {
  return smtpUrl === null ? NO_MAIL_SERVER : createSmtpTransport(parseSmtpUrl(smtpUrl));
}

const NO_MAIL_SERVER: MailTransport = {
  name: 'none',
  send: () =>
    Promise.resolve({ kind: 'refused', permanent: true, reason: 'no mail server is configured (SMTP_URL)' }),
};
