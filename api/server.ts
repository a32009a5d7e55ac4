import { readFile } from 'node:fs/promises';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ServerType, serve } from '@hono/node-server';
import type { Logger } from 'pino';
import { type Database, openDatabase } from '../db/database.js';
import { migrateDatabase } from '../db/migrate.js';
import { createSecrets, KNOWN_IS_FULL, parseSecretKeys, type Secrets } from '../db/secrets.js';
import { createApp } from './app.js';
import { ensureFirstAdmin } from './http/auth/first-admin.js';
import type { ApiConfig } from './config.js';
import { describeError } from './http/errors.js';
import { readProducts } from './http/files.js';
import { createLogger } from './http/logger.js';
import { createDigest } from './operations/digest.js';
import { createTemporal } from './operations/temporal.js';

/** Between tries to reach a Postgres that is away at the start. */
const PREPARE_AGAIN_MS = 1_000;
/** Of one query or transaction: a caller gets its 503 within 2 s. */
const DATABASE_ANSWER_MS = 1_500;
/** Open requests get this long at the end: many decisions at once take up to 20 s. */
const DRAIN_MS = 35_000;
/** Kept-alive connections are closed as soon as their last answer is out. */
const CLOSE_IDLE_MS = 50;

export interface ApiServer {
  /** where it listens, such as `http://127.0.0.1:8080` */
  url: string;
  /** resolves once the schema and the administrator are there */
  prepared: Promise<void>;
  close(): Promise<void>;
}

/** Connections, app and listener of the API from its configuration. Listens at once; until Postgres is there it answers 503. */
export async function startApi(config: ApiConfig, secretKey: string): Promise<ApiServer> {
  const database = openDatabase({
    url: config.databaseUrl,
    poolSize: config.databasePool,
    answerWithinMs: DATABASE_ANSWER_MS,
  });
  const stop = new AbortController();
  const secrets = createSecrets(parseSecretKeys(secretKey), {
    onFull: (known) => logger.warn({ known }, KNOWN_IS_FULL),
  });
  const logger = createLogger({ level: config.logLevel, redact: secrets.redact });
  const temporal = createTemporal(config.temporal);
  const { hono } = createApp({
    settings: { ...config, products: await readProducts(config.templatesDir) },
    database,
    secrets,
    temporal,
    digest: createDigest(secretKey),
    logger,
    sshPublicKey: () =>
      readFile(config.sshPublicKeyFile, 'utf8').then(
        (line) => line.trim(),
        () => null,
      ),
    stopping: stop.signal,
  });
  const listener = await listen(config, hono.fetch);
  const { address, port, family } = listener.address() as AddressInfo;
  const url = `${config.tls ? 'https' : 'http'}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  logger.info({ url }, 'listening');
  return {
    url,
    prepared: prepare({ config, database, secrets, logger, signal: stop.signal }),
    async close() {
      stop.abort();
      await drain(listener);
      await temporal.close();
      await database.close();
    },
  };
}

async function listen(config: ApiConfig, fetch: Parameters<typeof serve>[0]['fetch']): Promise<ServerType> {
  const place = { fetch, hostname: config.host, port: config.port };
  const tls = config.tls && {
    createServer: createTlsServer,
    serverOptions: { cert: await readFile(config.tls.certFile), key: await readFile(config.tls.keyFile) },
  };
  return new Promise((resolve, reject) => {
    const server: ServerType = serve(tls ? { ...place, ...tls } : place, () => resolve(server));
    server.once('error', reject);
  });
}

async function drain(listener: ServerType): Promise<void> {
  const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
  const idle = setInterval(
    () => 'closeIdleConnections' in listener && listener.closeIdleConnections(),
    CLOSE_IDLE_MS,
  );
  await Promise.race([closed, sleep(DRAIN_MS, undefined, { ref: false })]);
  clearInterval(idle);
  if ('closeAllConnections' in listener) listener.closeAllConnections();
  await closed;
}

interface Prepare {
  config: ApiConfig;
  database: Database;
  secrets: Secrets;
  logger: Logger;
  signal: AbortSignal;
}

async function prepare({ config, database, logger, signal }: Prepare): Promise<void> {
  const { adminUser: login, adminPassword: password, dataDir, databaseUrl } = config;
  while (!signal.aborted) {
    try {
      await migrateDatabase(databaseUrl);
      const file = await ensureFirstAdmin({ db: database.db, login, password, dataDir });
      if (file !== null) logger.info({ file }, `password of "${login}" written to ${file}`);
      return;
    } catch (error) {
      logger.error({ error: describeError(error) }, 'Postgres is not ready; trying again');
      await sleep(PREPARE_AGAIN_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}
