import type { Client, Connections } from '../../activities/clients/connections.js';
import type { OutputChunk, Server } from '../../activities/hosts/connections.js';
import type { Ssh } from '../../activities/ssh/types.js';
import type { ClientNames } from '../../workflows/contract/clients/clients.js';
import { failure } from '../../workflows/contract/operation/failures.js';
import { makeOperationId } from '../../workflows/contract/operation/ids.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';

export function newOperation(): string {
  return makeOperationId(Date.now(), Math.random);
}

export interface World {
  servers: Map<number, Server>;
  clients: Map<number, Client>;
  secrets: Map<string, string>;
  output: { step: string; chunk: OutputChunk }[];
}

export function emptyWorld(): World {
  return { servers: new Map(), clients: new Map(), secrets: new Map(), output: [] };
}

function find<Key, Value>(values: Map<Key, Value>, key: Key): Value {
  const value = values.get(key);
  if (value === undefined) throw failure('NotFound', `there is no ${String(key)}`);
  return value;
}

/** Ports over maps: the rows that a test has put there, and nothing else. */
export function connectionsOf(world: World, ssh: Ssh): Connections {
  return {
    servers: { get: async (id) => find(world.servers, id) },
    clients: { get: async (id) => find(world.clients, id), formerHosts: async () => [] },
    changes: {
      get: async () => undefined,
      keepSettings: () => Promise.resolve(),
      formerSettings: async () => null,
    },
    requireOpen: () => Promise.resolve(),
    secrets: { reveal: async (id) => find(world.secrets, id) },
    ssh,
    output: (step) => async (chunk) => {
      world.output.push({ step: step.step, chunk });
    },
    checkAddresses: [],
  };
}

export function stepContext(operation: string, over: Partial<StepContext> = {}): StepContext {
  return {
    operation,
    subject: 'client:42',
    step: 'a-step',
    title: 'a step',
    phase: 'do',
    seq: 1,
    try: 1,
    attempt: 1,
    signal: new AbortController().signal,
    cancelRequested: () => false,
    lastBeat: undefined,
    beat: () => undefined,
    summarize: () => undefined,
    ...over,
  };
}

export function serverRow(over: Partial<Server> = {}): Server {
  return {
    id: 1,
    name: 'web-1',
    host: '127.0.0.1',
    domain: 'example.test',
    active: true,
    sshPort: 22,
    sshUser: 'www-data',
    sshHostKey: null,
    sshHostKeyConfirmed: true,
    sqlEngine: 'mariadb',
    sqlHost: '127.0.0.1',
    sqlPort: 3306,
    sqlUser: 'slipway',
    sqlPassword: 'sql-password',
    baseDir: '/srv',
    vhostDir: '/etc/nginx/conf.d',
    clientPool: '10.213.0.0/16',
    portFrom: 20000,
    portTo: 29999,
    stage: false,
    publisher: false,
    product: 'sample',
    rehearse: 'migrate',
    tls: 'off',
    tlsCert: null,
    tlsKey: null,
    reading: null,
    createdAt: new Date(),
    updatedAt: new Date(),
    ...over,
  };
}

export function clientRow(over: Partial<Client> = {}): Client {
  return {
    id: 42,
    serverId: 1,
    status: 'creating',
    kind: 'client',
    name: 'Acme "Lab" Ünïcode',
    shortName: 'Acme',
    adminF: "O'Neil",
    adminI: 'Ann',
    adminO: '',
    adminLogin: 'ann',
    adminPassword: 'admin-password',
    adminPasswordGiven: true,
    subdomain: 'acme',
    email: 'ann@example.test',
    phone: '',
    city: '',
    timezone: 'Europe/Berlin',
    versionTag: '1.0-master',
    allowedIps: [],
    config: '{"a": "it\'s \\\\ here"}',
    license: '',
    licenseExpiresAt: new Date('2031-01-01T00:00:00Z'),
    billingType: 'test',
    port: 20042,
    subnetIndex: 1,
    names: null,
    operationId: null,
    demo: false,
    movedBy: null,
    available: null,
    availableCheckedAt: null,
    availableSince: null,
    availableError: null,
    users: null,
    usersCountedAt: null,
    certificate: null,
    certificateError: null,
    certificateExpiresAt: null,
    certificateCheckedAt: null,
    createdAt: new Date(),
    updatedAt: new Date(),
    ...over,
  };
}

export function clientNames(over: Partial<ClientNames> = {}): ClientNames {
  const clientId = over.clientId ?? 42;
  const name = `client${clientId}`;
  return {
    clientId,
    serverId: 1,
    name,
    directory: `/srv/docker/clients/${name}`,
    vhostFile: `/etc/nginx/conf.d/${name}.conf`,
    hostname: 'acme.example.test',
    subnet: '10.213.0.16/28',
    port: 20042,
    image: 'sample:1.0-master',
    product: 'sample',
    secrets: {
      databasePassword: 'db-password',
      clientToken: 'client-token',
      applicationKey: 'application-key',
    },
    ...over,
  };
}

/** For activities that must not touch a host: any use is an error. */
export const noSsh = new Proxy({} as Ssh, {
  get: (_, property) => () => {
    throw new Error(`unexpected use of ssh.${String(property)}`);
  },
});
