import { createBuildActivities } from '../activities/servers/builds/activities.js';
import { createDockerActivities } from '../activities/clients/containers/activities.js';
import { createRefreshActivities } from '../activities/clients/containers/refresh.js';
import { createPruneActivities } from '../activities/servers/prune.js';
import { createCertificateActivities } from '../activities/clients/certificates/activities.js';
import type { AcmeSettings } from '../activities/clients/certificates/certbot.js';
import { createLicenseRecords } from '../activities/clients/licenses/license-records.js';
import { createMailActivities } from '../activities/clients/mail/activities.js';
import { createSmtpTransport, type MailTransport, parseSmtpUrl } from '../activities/mail/transport.js';
import { createAvailability } from '../activities/clients/monitoring/availability.js';
import { createUserCounts } from '../activities/clients/monitoring/user-counts.js';
import { createMoveActivities } from '../activities/clients/moves/activities.js';
import { createNginxActivities } from '../activities/clients/publication/activities.js';
import { createVhostRefreshActivities } from '../activities/clients/publication/refresh.js';
import { createProductChangeActivities } from '../activities/clients/commands/changes.js';
import { createProductActivities } from '../activities/clients/commands/commands.js';
import { loadProfile, loadProfiles } from '../activities/clients/product/profile.js';
import { createClientChangeRecords } from '../activities/clients/records/client-change-records.js';
import { createClientPlaceRecords } from '../activities/clients/records/client-places.js';
import { createClientRecords } from '../activities/clients/records/client-records.js';
import { createCopyRecords } from '../activities/clients/records/copy-records.js';
import { createFleetRecords } from '../activities/servers/fleet.js';
import { createConfigurationActivities } from '../activities/servers/configuration.js';
import { createImageActivities } from '../activities/servers/images.js';
import { createVersionRecords } from '../activities/clients/records/version-records.js';
import { createReleaseRecords } from '../activities/servers/releases.js';
import { createServerReads } from '../activities/servers/server-records.js';
import { createBackupActivities } from '../activities/servers/backups.js';
import { createJobActivities } from '../activities/servers/jobs.js';
import { createProbes } from '../activities/servers/probes.js';
import { createRebootActivities } from '../activities/servers/reboot.js';
import { createSqlActivities } from '../activities/clients/database/activities.js';
import { createAnnouncementActivities } from '../activities/servers/announcements.js';
import { type ConnectionParts, createConnections } from './connections.js';

export interface ActivityParts extends ConnectionParts {
  smtpUrl: string | null;
  mailFrom: string;
  /** absent: what certbot on the servers asks by itself */
  acme?: AcmeSettings;
  /** hour of a client's day at which notices of its licence go out; default 9 */
  expiryHour?: number;
  /** tests let a year pass */
  now?: () => Date;
}

/** Every activity that acts of workflows name, with its ports. */
export function createActivities(parts: ActivityParts) {
  const { db, secrets, smtpUrl, mailFrom: from, expiryHour = 9, graceDays = 0 } = parts;
  const clock = parts.now === undefined ? {} : { now: parts.now };
  const connections = createConnections(parts);
  const reads = createServerReads(db);
  const { getRelease, ...releases } = createReleaseRecords(db);
  const transport = mailTransport(smtpUrl);
  return {
    ...createClientRecords({ db, secrets, imageOf: (product) => loadProfile(product).image }),
    ...createClientChangeRecords({ db }),
    ...createClientPlaceRecords(db),
    ...createCopyRecords({
      ...{ db, secrets },
      sharesKeyOf: (product) => loadProfile(product).copy.applicationKey === 'source',
    }),
    ...createVersionRecords(db),
    ...createSqlActivities(connections),
    ...createDockerActivities(connections),
    ...createRefreshActivities(connections),
    ...createProductActivities(connections),
    ...createProductChangeActivities(connections),
    ...createNginxActivities(connections),
    ...createVhostRefreshActivities(connections),
    ...createMailActivities({ db, secrets, transport, profiles: loadProfiles(), from, ...clock }),
    ...createLicenseRecords({ db, expiryHour, graceDays, ...clock }),
    ...createCertificateActivities({ db, connections, acme: parts.acme ?? CERTBOTS_OWN }),
    ...createAvailability({ db }),
    ...createUserCounts({ db, connections }),
    ...createFleetRecords({ db }),
    ...createMoveActivities(connections),
    ...createJobActivities(connections),
    ...createConfigurationActivities(connections),
    ...createImageActivities(connections),
    ...createBackupActivities(connections, db),
    ...createProbes(connections),
    ...createBuildActivities(connections),
    ...createPruneActivities({ ...connections, ...reads }),
    ...createRebootActivities({ ...connections, ...reads }),
    ...createAnnouncementActivities({ ...connections, ...reads, releases: { get: getRelease } }),
    ...releases,
  };
}

const CERTBOTS_OWN: AcmeSettings = { directory: null, email: null };

export function mailTransport(smtpUrl: string | null): MailTransport {
  return smtpUrl === null ? NO_MAIL_SERVER : createSmtpTransport(parseSmtpUrl(smtpUrl));
}

const NO_MAIL_SERVER: MailTransport = {
  name: 'none',
  send: () =>
    Promise.resolve({ kind: 'refused', permanent: true, reason: 'no mail server is configured (SMTP_URL)' }),
};
