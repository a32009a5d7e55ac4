import type { Db } from '../../db/database.js';
import type { Connections } from '../clients/connections.js';
import { gather } from '../operation/gather.js';
import { createActiveServers } from './active-servers.js';
import { createAnnouncementActivities } from './announcements.js';
import { createBackupActivities } from './backups.js';
import { createBuildActivities } from './builds/activities.js';
import { createConfigurationActivities } from './configuration.js';
import { createFleetRecords } from './fleet.js';
import { createImageActivities } from './images.js';
import { createJobActivities } from './jobs.js';
import { createProbes } from './probes.js';
import { createPruneActivities } from './prune.js';
import { createRebootActivities } from './reboot.js';
import { createReleaseRecords } from './releases.js';
import { createServerReads } from './server-records.js';

/** Everything that acts on servers as a whole, and their records. */
export function createServerActivities({ db, connections }: { db: Db; connections: Connections }) {
  const reads = createServerReads(db);
  const { getRelease, ...releases } = createReleaseRecords(db);
  return gather(
    createActiveServers(db),
    createFleetRecords({ db }),
    createJobActivities(connections),
    createConfigurationActivities(connections),
    createImageActivities(connections),
    createBackupActivities(connections, db),
    createProbes(connections),
    createBuildActivities(connections),
    createPruneActivities({ ...connections, ...reads }),
    createRebootActivities({ ...connections, ...reads }),
    createAnnouncementActivities({ ...connections, ...reads, releases: { get: getRelease } }),
    releases,
  );
}
