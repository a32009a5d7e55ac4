import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { type Logger, pino } from 'pino';
import { createNotices } from '../activities/operation/deliver-notices.js';
import { ensureMasterKey, publicKeyLine } from '../activities/ssh/keys.js';
import { createSsh } from '../activities/ssh/ssh.js';
import { openDatabase } from '../db/database.js';
import { migrateDatabase } from '../db/migrate.js';
import { ensureSecretKey } from '../db/secret-key.js';
import { createSecrets, KNOWN_IS_FULL, parseSecretKeys } from '../db/secrets.js';
import { createWings, mailTransport } from './activities.js';
import { bundleWorkflows } from './bundle.js';
import type { WorkerConfig } from './config.js';
import { ensureNamespace } from './namespace.js';
import { ensurePublicKeyFile } from './public-key-file.js';
import { ensureSchedules } from './schedules.js';
import { createWorker } from './worker.js';

export interface RunningWorker {
  /** resolves when it polls; rejects when Postgres or Temporal cannot be reached */
  ready: Promise<void>;
  /** resolves after `close`; rejects when the worker cannot go on, and whoever runs it must start it again */
  ended: Promise<void>;
  /** takes nothing new, lets running activities end for up to 45 s, and closes every connection */
  close(): Promise<void>;
}

type Close = () => Promise<unknown>;

/** Connections, activities and worker from the configuration. Once per process: Temporal's runtime is global. */
export function startWorker(config: WorkerConfig, bundle = bundleWorkflows): RunningWorker {
  const log = pino({
    level: config.logLevel,
    base: { service: 'worker' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
  installRuntime(config, log);
  const closers: Close[] = [];
  const prepared = prepareWorker(config, { log, closers, bundle });
  const running = prepared.then((worker) => {
    const done = worker.run();
    log.info({ taskQueue: config.temporal.taskQueue }, 'worker is ready');
    return { worker, done };
  });
  const ended = running.then(({ done }) => done).finally(() => closeAll(closers, log));
  // whoever only waits for `ready` learns of the failure there
  ended.catch(() => undefined);
  return {
    ready: running.then(() => undefined),
    ended,
    async close() {
      const started = await running.catch(() => undefined);
      started?.worker.shutdown();
      await ended.catch(() => undefined);
    },
  };
}

interface Preparation {
  log: Logger;
  closers: Close[];
  bundle: () => Promise<{ code: string }>;
}

async function prepareWorker(config: WorkerConfig, { log, closers, bundle }: Preparation) {
  const { address, namespace, taskQueue, tls } = config.temporal;
  const bundled = bundle();
  // it is awaited last; until then a failure of what comes before it must not leave it unhandled
  bundled.catch(() => undefined);
  await migrateDatabase(config.databaseUrl);
  const database = openDatabase({ url: config.databaseUrl, poolSize: config.databasePool });
  closers.push(() => database.close());
  const secrets = createSecrets(parseSecretKeys(await ensureSecretKey(config)), {
    onFull: (known) => log.warn({ known }, KNOWN_IS_FULL),
  });
  const privateKey = await ensureMasterKey(config.sshKeyFile);
  await ensurePublicKeyFile(config.sshPublicKeyFile, publicKeyLine(privateKey));
  const ssh = createSsh({ privateKey });
  closers.push(() => ssh.close());
  const connection = await NativeConnection.connect({ address, tls });
  closers.push(() => connection.close());
  await ensureNamespace(connection, namespace);
  await ensureSchedules(connection, { namespace, taskQueue });
  return createWorker({
    connection,
    namespace,
    taskQueue,
    workflowBundle: await bundled,
    db: database.db,
    secrets,
    limits: config.limits,
    retryWindowMs: config.retryWindowMs,
    edits: {},
    ...createWings({ ...config, db: database.db, secrets, ssh }),
    notices: createNotices({
      ...config.notices,
      db: database.db,
      transport: mailTransport(config.smtpUrl),
      from: config.mailFrom,
    }),
    log,
  });
}

function installRuntime({ metricsAddress }: WorkerConfig, log: Logger): void {
  const metrics = metricsAddress === null ? null : { prometheus: { bindAddress: metricsAddress } };
  Runtime.install({
    logger: new DefaultLogger('WARN', ({ level, message, meta }) => {
      log[level === 'ERROR' ? 'error' : 'warn'](meta ?? {}, message);
    }),
    // signals belong to the process, which closes its other parts too
    shutdownSignals: [],
    ...(metrics === null ? {} : { telemetryOptions: { metrics } }),
  });
}

async function closeAll(closers: Close[], log: Logger): Promise<void> {
  for (const close of closers.reverse()) {
    await close().catch((error: unknown) => log.warn({ err: error }, 'a connection did not close'));
  }
}
