import type { Logger } from 'pino';
import type { Database } from '../db/database.js';
import type { Secrets } from '../db/secrets.js';
import type { Authenticator } from './auth/authenticate.js';
import type { Metrics } from './metrics.js';
import type { Changes } from './operations/changes.js';
import type { Digest } from './operations/digest.js';
import type { Probes } from './probes.js';
import type { Temporal } from './temporal.js';

/** What the routes need of the configuration. */
export interface AppSettings {
  adminAddresses: string[];
  trustedProxies: string[];
  panelOrigins: string[];
  sshTofu: boolean;
  /** product profile of servers that name none */
  product: string;
  /** names of the profiles that exist */
  products: readonly string[];
  /** days that a deleted client's backup is kept */
  backupKeepDays: number;
}

/** What `createApp` is given by its composition root, or by a test. */
export interface AppDeps {
  settings: AppSettings;
  database: Database;
  secrets: Secrets;
  temporal: Temporal;
  digest: Digest;
  logger: Logger;
  /** one line of authorized_keys, or null while there is none */
  sshPublicKey: () => Promise<string | null>;
}

/** The same with what the app makes of it once, shared by the routes. */
export interface RouteDeps extends AppDeps {
  db: Database['db'];
  authenticator: Authenticator;
  metrics: Metrics;
  changes: Changes;
  probes: Probes;
}
