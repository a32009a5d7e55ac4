import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { sql } from 'drizzle-orm';
import type { AcmeSettings } from '../../activities/clients/certificates/certbot.js';
import { publicKeyLine } from '../../activities/ssh/keys.js';
import { createSsh } from '../../activities/ssh/ssh.js';
import type { Ssh } from '../../activities/ssh/types.js';
import type { StepInterceptorOptions } from '../../activities/operation/step-interceptor.js';
import { createApp } from '../../api/app.js';
import { ensureFirstAdmin } from '../../api/http/auth/first-admin.js';
import { createLogger } from '../../api/http/logger.js';
import { createDigest } from '../../api/operations/digest.js';
import { createTemporal } from '../../api/operations/temporal.js';
import { createSecrets, parseSecretKeys } from '../../db/secrets.js';
import type { LabHost } from '../../lab/host.js';
import { pollUntil } from '../../process/poll.js';
import { createWings } from '../../worker/activities.js';
import { DEFAULT_LIMITS } from '../../worker/limits.js';
import { createWorker } from '../../worker/worker.js';
import type { OperationLimits, OperationView } from '../../workflows/contract/operation/operation.js';
import { labPrivateKey } from './lab.js';
import { type CaughtMail, startMailServer } from './mail-server.js';
import { openServices, type Services, testBundle } from './services.js';

export const ADMIN = { login: 'admin', password: 'a long test password' };
const SECRET_KEY = 'test key of sufficient length';

export interface SystemOptions {
  /** 0 to 200: test files share lab hosts, so each has client ids, ports and networks of its own */
  slot: number;
  limits?: Partial<OperationLimits>;
  retryWindowMs?: number;
  inject?: StepInterceptorOptions['inject'];
  acme?: AcmeSettings;
  /** address of a server of the test's own */
  temporal?: string;
  /** false: the test starts workers of its own */
  worker?: boolean;
}

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: answers are asserted field by field
  body: Record<string, never> & { [field: string]: unknown };
}

export interface System extends Services {
  slot: number;
  taskQueue: string;
  secretKey: string;
  ssh: Ssh;
  mails: CaughtMail[];
  mailUrl: string;
  log: string[];
  call(
    method: string,
    path: string,
    fields?: Record<string, string>,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  callJson(method: string, path: string, body: unknown): Promise<Answer>;
  /** registers a lab host as a server; answers its id */
  addServer(host: LabHost, fields?: Record<string, string>): Promise<number>;
  /** creates a client by form-data; answers its id and operation */
  addClient(
    serverId: number,
    fields?: Record<string, string>,
    query?: string,
  ): Promise<{ id: number; operation: string }>;
  operation(id: string): Promise<OperationView>;
  until(
    id: string,
    what: string,
    test: (view: OperationView) => boolean,
    deadlineMs?: number,
  ): Promise<OperationView>;
  ended(id: string): Promise<OperationView>;
}

/** The operation that a request has started. */
export function operationOf({ body, status }: Answer): string {
  assert.equal(status, 202, JSON.stringify(body));
  return (body['operation'] as unknown as { id: string }).id;
}

/** API and worker with their real activities in this process, on the run's Temporal, Postgres and lab hosts. */
export async function openSystem(options: SystemOptions): Promise<System> {
  const { slot, temporal: ownTemporal } = options;
  const services = await openServices(ownTemporal === undefined ? {} : { temporal: ownTemporal });
  const { db } = services.database;
  for (const table of ['clients', 'servers']) {
    await db.execute(sql.raw(`alter table ${table} alter column id restart with ${(slot + 1) * 1_000}`));
  }
  const taskQueue = `system-${randomBytes(4).toString('hex')}`;
  const secrets = createSecrets(parseSecretKeys(SECRET_KEY));
  const mail = await startMailServer();
  const ssh = createSsh({ privateKey: labPrivateKey() });
  const log: string[] = [];
  const logger = createLogger({
    level: 'info',
    redact: secrets.redact,
    destination: { write: (line: string) => void log.push(line) },
  });
  const stopWorker = options.worker === false ? undefined : await startWorker();

  async function startWorker(): Promise<() => Promise<void>> {
    const worker = await createWorker({
      connection: services.native,
      namespace: 'default',
      taskQueue,
      workflowBundle: await testBundle(),
      db,
      secrets,
      limits: { ...DEFAULT_LIMITS, undoAttempts: 4, ...options.limits },
      retryWindowMs: options.retryWindowMs ?? 20_000,
      edits: {},
      ...createWings({
        db,
        secrets,
        ssh,
        checkAddresses: [],
        smtpUrl: mail.url,
        mailFrom: 'slipway@example.test',
        ...(options.acme === undefined ? {} : { acme: options.acme }),
      }),
      log: logger,
      ...(options.inject === undefined ? {} : { inject: options.inject }),
    });
    const done = worker.run();
    return async () => {
      worker.shutdown();
      await done;
    };
  }

  const temporal = createTemporal({
    address: services.temporalAddress,
    namespace: 'default',
    taskQueue,
    tls: false,
  });
  await ensureFirstAdmin({ db, ...ADMIN, dataDir: tmpdir() });
  const { hono } = createApp({
    settings: {
      adminAddresses: [],
      trustedProxies: [],
      panelOrigins: [],
      sshTofu: true,
      product: 'sample',
      products: ['sample', 'laravel'],
      backupKeepDays: 30,
      moveKeepDays: 7,
      rateLimits: { requests: 1e6, changes: 1e6, checks: 1e6, strangers: 1e6 },
    },
    database: services.database,
    secrets,
    temporal,
    digest: createDigest(SECRET_KEY),
    logger,
    sshPublicKey: () => Promise.resolve(publicKeyLine(labPrivateKey())),
  });

  async function send(
    path: string,
    init: RequestInit & { headers: Record<string, string> },
  ): Promise<Answer> {
    const authorization = `Basic ${Buffer.from(`${ADMIN.login}:${ADMIN.password}`).toString('base64')}`;
    const response = await hono.request(path, { ...init, headers: { authorization, ...init.headers } });
    const { status, headers } = response;
    const text = await response.text();
    return { status, headers, body: text === '' ? {} : JSON.parse(text) };
  }

  const hosts = new Set<LabHost>();
  const system: System = {
    ...services,
    slot,
    taskQueue,
    secretKey: SECRET_KEY,
    ssh,
    mails: mail.mails,
    mailUrl: mail.url,
    log,
    call: (method, path, fields, headers = {}) =>
      send(path, { method, headers, ...(fields === undefined ? {} : { body: formOf(fields) }) }),
    callJson: (method, path, body) =>
      send(path, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    async addServer(host, fields = {}) {
      hosts.add(host);
      const { status, body } = await system.call('POST', '/servers/', {
        ...serverFields(host, slot),
        ...fields,
      });
      if (status >= 300) throw new Error(`POST /servers/: ${status} ${JSON.stringify(body)}`);
      return Number(body['id']);
    },
    async addClient(serverId, fields = {}, query = '') {
      const { status, body } = await system.call('POST', `/clients/?${query}`, {
        ...clientFields(serverId),
        ...fields,
      });
      if (status !== 202) throw new Error(`POST /clients/: ${status} ${JSON.stringify(body)}`);
      const operation = body['operation'] as unknown as { id: string };
      return { id: Number(body['id']), operation: operation.id };
    },
    async operation(id) {
      return (await system.call('GET', `/operations/${id}`)).body as unknown as OperationView;
    },
    until: (id, what, test, deadlineMs = 60_000) =>
      pollUntil({
        what: `${what} of ${id}`,
        deadlineMs,
        everyMs: 300,
        probe: async () => {
          const view = await system.operation(id);
          if (test(view)) return view;
          throw new Error(`it is ${JSON.stringify(view)}`);
        },
      }),
    ended: (id) => system.until(id, 'end', ({ endedAt }) => endedAt !== null, 90_000),
    async close() {
      await stopWorker?.();
      await Promise.all([...hosts].map((host) => removeContainers(host, slot)));
      await ssh.close();
      await mail.close();
      await temporal.close();
      await services.close();
    },
  };
  return system;
}

/** Their health checks would keep the machine busy for the rest of the run. */
async function removeContainers(host: LabHost, slot: number): Promise<void> {
  const named = `^client${slot + 1}[0-9]{3}$`;
  const script = `docker ps -a --format '{{.Names}}' | grep -E '${named}' | xargs -r docker rm -f`;
  // a test may have ended the host, or its Docker
  await host.exec(script, { check: false }).catch(() => undefined);
}

/** The form of the source document, with what a lab host needs beside it. */
export function serverFields(host: LabHost, slot: number): Record<string, string> {
  return {
    name: host.name,
    host: host.address,
    domain: `${host.name}.example.test`,
    ssh_host_key: host.hostKey.fingerprint,
    sql_user: host.sqlUser,
    sql_password: host.sqlPassword,
    sql_engine: host.sqlEngine,
    sql_port: String(host.sqlPort),
    client_pool: `10.213.${slot}.0/24`,
    port_range: `${20_000 + slot * 40}-${20_039 + slot * 40}`,
    product: 'sample',
    // most tests are about what comes after it, and a rehearsal is as long as the change itself
    rehearse: 'off',
    tls: 'off',
  };
}

let clientCount = 0;

/** The form of the source document. */
export function clientFields(serverId: number): Record<string, string> {
  clientCount += 1;
  return {
    server_id: String(serverId),
    name: 'Test laboratory',
    short_name: 'lab',
    admin_f: 'Family',
    admin_i: 'Given',
    admin_o: 'Middle',
    admin_login: 'chief',
    password: 'Correct-horse-9',
    subdomain: `t${randomBytes(4).toString('hex')}${clientCount}`,
    email: 'chief@example.test',
    phone: '+1 555 0100',
    city: 'Springfield',
    timezone: 'Europe/Moscow',
    version_tag: '1.3-master',
    allowed_ips: '[]',
    config: 'free text',
    license: 'free text',
    license_expires_at: '2030-01-01 00:00:00',
  };
}

function formOf(fields: Record<string, string>): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  return form;
}
