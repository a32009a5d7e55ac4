import { type BackupActivities, createBackupActivities } from '../../activities/servers/backups.js';
import { createSecrets, parseSecretKeys } from '../../db/secrets.js';
import { createConnections } from '../../worker/connections.js';
import type { System } from './system.js';

/** What the nightly sweep does about a server's backups. */
export function backupSweepOf({ database, secretKey, ssh }: System): BackupActivities['removeOldBackups'] {
  const { db } = database;
  const secrets = createSecrets(parseSecretKeys(secretKey));
  return createBackupActivities(createConnections({ db, secrets, ssh, checkAddresses: [] }), db)
    .removeOldBackups;
}
