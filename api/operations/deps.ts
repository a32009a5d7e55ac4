import type { Logger } from 'pino';
import type { Database } from '../../db/database.js';
import type { Secrets } from '../../db/secrets.js';
import type { Metrics } from '../http/metrics.js';
import type { RateLimits } from '../http/rate-bounds.js';
import type { Watches } from './watches.js';
import type { Digest } from './digest.js';
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
  /** days that the stopped source of a move is kept */
  moveKeepDays: number;
  rateLimits: RateLimits;
  /** silence of an event stream until a comment; absent: 15 s */
  commentMs?: number;
  /** event streams of one login that may be open at a time; absent: 200 */
  streamsAtOnce?: number;
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
  /** aborted when the process is about to stop: streams and long polls end then */
  stopping?: AbortSignal;
}

/** The same with what the app makes of it once, shared by the routes. */
export interface RouteDeps extends AppDeps {
  db: Database['db'];
  metrics: Metrics;
  watches: Watches;
  probes: Probes;
}
