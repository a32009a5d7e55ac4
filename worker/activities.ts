import { createDockerActivities } from '../activities/docker/activities.js';
import { createRefreshActivities } from '../activities/docker/refresh.js';
import { createMailActivities } from '../activities/mail/activities.js';
import { createSmtpTransport, type MailTransport, parseSmtpUrl } from '../activities/mail/transport.js';
import { createNginxActivities } from '../activities/nginx/activities.js';
import { createVhostRefreshActivities } from '../activities/nginx/refresh.js';
import { createProductChangeActivities } from '../activities/product/changes.js';
import { createProductActivities } from '../activities/product/commands.js';
import { loadProfile, loadProfiles } from '../activities/product/profile.js';
import { createClientChangeRecords } from '../activities/records/client-change-records.js';
import { createClientRecords } from '../activities/records/client-records.js';
import { createFleetRecords } from '../activities/records/fleet.js';
import { createConfigurationActivities } from '../activities/servers/configuration.js';
import { createImageActivities } from '../activities/servers/images.js';
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
    ...createClientChangeRecords({ db }),
    ...createVersionRecords(db),
    ...createSqlActivities(connections),
    ...createDockerActivities(connections),
    ...createRefreshActivities(connections),
    ...createProductActivities(connections),
    ...createProductChangeActivities(connections),
    ...createNginxActivities(connections),
    ...createVhostRefreshActivities(connections),
    ...createMailActivities({ db, secrets, transport, profiles: loadProfiles(), from: mailFrom }),
    ...createFleetRecords({ db }),
    ...createJobActivities(connections),
    ...createConfigurationActivities(connections),
    ...createImageActivities(connections),
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
