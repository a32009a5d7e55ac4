import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { type Database, openDatabase } from '../db/database.js';
import { migrateDatabase } from '../db/migrate.js';
import { createSecrets, parseSecretKeys, type Secrets } from '../db/secrets.js';
import { bundleWorkflows } from '../worker/bundle.js';
import { DEFAULT_LIMITS, RETRY_WINDOW_MS } from '../worker/limits.js';
import { createWorker } from '../worker/worker.js';
import type { Closers } from './benchmark.js';
import { SECRET_KEY, type Services } from './services.js';

/** As `DATABASE_POOL` is by default. */
const POOL = 10;

export interface Connections {
  client: Client;
  native: NativeConnection;
  database: Database;
  secrets: Secrets;
}

/** This process to Temporal and Postgres, with Slipway's schema there. */
export async function connectServices(services: Services, closers: Closers): Promise<Connections> {
  const logger = new DefaultLogger('ERROR', ({ message }) => console.error(message));
  Runtime.install({ logger, shutdownSignals: [] });
  await migrateDatabase(services.postgres.url);
  const database = openDatabase({ url: services.postgres.url, poolSize: POOL });
  closers.push(() => database.close());
  const { address } = services.temporal;
  const connection = await Connection.connect({ address });
  closers.push(() => connection.close());
  const native = await NativeConnection.connect({ address });
  closers.push(() => native.close());
  const secrets = createSecrets(parseSecretKeys(SECRET_KEY));
  return { client: new Client({ connection }), native, database, secrets };
}

interface StartOperationWorker {
  connections: Connections;
  closers: Closers;
  taskQueue: string;
  /** absolute path of the operations that it knows */
  workflows: string;
  activities: object;
  /** instead of the connections' own, such as one that takes times */
  db?: Database['db'];
}

/** Slipway's own worker in this process, with other operations and other acts. */
export async function startOperationWorker(options: StartOperationWorker): Promise<{ code: string }> {
  const { connections, closers, taskQueue, workflows, activities } = options;
  const { native, database, secrets } = connections;
  const workflowBundle = await bundleWorkflows(workflows);
  const worker = await createWorker({
    connection: native,
    namespace: 'default',
    taskQueue,
    workflowBundle,
    db: options.db ?? database.db,
    secrets,
    limits: DEFAULT_LIMITS,
    retryWindowMs: RETRY_WINDOW_MS,
    edits: {},
    activities: { bench: activities },
    log: { warn: (fields, message) => console.error(message, fields) },
  });
  const done = worker.run();
  done.catch((error: unknown) => console.error('the worker ended:', error));
  closers.push(() => {
    worker.shutdown();
    return done;
  });
  return workflowBundle;
}
