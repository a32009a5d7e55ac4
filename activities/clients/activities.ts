import type { Db } from '../../db/database.js';
import type { Secrets } from '../../db/secrets.js';
import { gather } from '../operation/gather.js';
import { createCertificateActivities, createCertificateSweep } from './certificates/activities.js';
import type { AcmeSettings } from './certificates/certbot.js';
import { createRehearsalActivities } from './rehearsal/activities.js';
import { createReversibleCommands } from './commands/reversible.js';
import { createProductActivities } from './commands/commands.js';
import type { Connections } from './connections.js';
import { createDockerActivities } from './containers/activities.js';
import { createRefreshActivities } from './containers/refresh.js';
import { createSqlActivities } from './database/activities.js';
import { createSpareActivities } from './database/spare.js';
import { createLicenseRecords } from './licenses/license-records.js';
import { createMailActivities } from './mail/activities.js';
import { createAvailability } from './monitoring/availability.js';
import { createUserCounts } from './monitoring/user-counts.js';
import { createMoveActivities } from './moves/activities.js';
import { createOverdueSources } from './moves/overdue-sources.js';
import { loadProfile, loadProfiles } from './product/profile.js';
import { createNginxActivities } from './publication/activities.js';
import { createVhostRefreshActivities } from './publication/refresh.js';
import { createClientChangeRecords } from './records/client-change-records.js';
import { createClientPlaceRecords } from './records/client-places.js';
import { createClientRecords } from './records/client-records.js';
import { createCopyRecords } from './records/copy-records.js';
import { createVersionRecords } from './records/version-records.js';
import type { MailTransport } from '../mail/transport.js';

export interface ClientParts {
  db: Db;
  secrets: Secrets;
  connections: Connections;
  transport: MailTransport;
  /** sender of mails to clients */
  from: string;
  /** absent: what certbot on the servers asks by itself */
  acme?: AcmeSettings;
  /** hour of a client's day at which reminders of its licence go out */
  expiryHour: number;
  /** days between the end of a licence and the lock */
  graceDays: number;
  /** tests let a year pass */
  now?: () => Date;
}

const CERTBOTS_OWN: AcmeSettings = { directory: null, email: null };

/** Everything that acts on clients, and their records. */
export function createClientActivities(parts: ClientParts) {
  const { db, secrets, connections, transport, from, expiryHour, graceDays } = parts;
  const clock = parts.now === undefined ? {} : { now: parts.now };
  return gather(
    createClientRecords({ db, secrets, imageOf: (product) => loadProfile(product).image }),
    createClientChangeRecords({ db }),
    createClientPlaceRecords(db),
    createCopyRecords({
      ...{ db, secrets },
      sharesKeyOf: (product) => loadProfile(product).copy.applicationKey === 'source',
    }),
    createVersionRecords(db),
    createSqlActivities(connections),
    createSpareActivities({ db, connections }),
    createDockerActivities(connections),
    createRefreshActivities(connections),
    createRehearsalActivities(connections),
    createProductActivities(connections),
    createReversibleCommands(connections),
    createNginxActivities(connections),
    createVhostRefreshActivities(connections),
    createMailActivities({ db, secrets, transport, profiles: loadProfiles(), from, ...clock }),
    createLicenseRecords({ db, expiryHour, graceDays, ...clock }),
    createCertificateActivities({ db, connections, acme: parts.acme ?? CERTBOTS_OWN }),
    createCertificateSweep(db),
    createAvailability({ db }),
    createUserCounts({ db, connections }),
    createMoveActivities(connections),
    createOverdueSources(db),
  );
}
