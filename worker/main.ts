import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { pino } from 'pino';
import { ensureMasterKey } from '../activities/ssh/keys.js';
import { createSsh } from '../activities/ssh/ssh.js';
import { openDatabase } from '../db/database.js';
import { migrateDatabase } from '../db/migrate.js';
import { ensureSecretKey } from '../db/secret-key.js';
import { createSecrets, parseSecretKeys } from '../db/secrets.js';
import { createActivities } from './activities.js';
import { bundleWorkflows } from './bundle.js';
import { readWorkerConfig } from './config.js';
import { createWorker } from './worker.js';

const config = readWorkerConfig(process.env);
const log = pino({ level: config.logLevel, name: 'worker' });

Runtime.install({
  logger: new DefaultLogger('WARN', ({ level, message, meta }) => {
    log[level === 'ERROR' ? 'error' : 'warn'](meta ?? {}, message);
  }),
  ...(config.metricsAddress === null
    ? {}
    : { telemetryOptions: { metrics: { prometheus: { bindAddress: config.metricsAddress } } } }),
});

await migrateDatabase(config.databaseUrl);
const database = openDatabase({ url: config.databaseUrl, poolSize: config.databasePool });
const secrets = createSecrets(parseSecretKeys(await ensureSecretKey(config)));
const ssh = createSsh({ privateKey: await ensureMasterKey(config.sshKeyFile) });
const connection = await NativeConnection.connect({ address: config.temporal.address, tls: config.temporal.tls });
const worker = await createWorker({
  connection,
  namespace: config.temporal.namespace,
  taskQueue: config.temporal.taskQueue,
  workflowBundle: await bundleWorkflows(),
  db: database.db,
  secrets,
  limits: config.limits,
  retryWindowMs: config.retryWindowMs,
  edits: {},
  activities: createActivities({ ...config, db: database.db, secrets, ssh }),
  log,
});
log.info({ taskQueue: config.temporal.taskQueue }, 'worker is ready');
await worker.run();
await ssh.close();
await connection.close();
await database.close();
