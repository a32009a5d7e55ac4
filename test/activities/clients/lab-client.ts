import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Connections } from '../../../activities/clients/connections.js';
import { createDockerActivities } from '../../../activities/clients/containers/activities.js';
import { createNginxActivities } from '../../../activities/clients/publication/activities.js';
import { createProductActivities } from '../../../activities/clients/commands/commands.js';
import { createSqlActivities } from '../../../activities/clients/database/activities.js';
import { makePrivateKey, publicKeyLine } from '../../../activities/ssh/keys.js';
import { createSsh } from '../../../activities/ssh/ssh.js';
import type { Ssh } from '../../../activities/ssh/types.js';
import { toolsDir } from '../../../start/tools/config.js';
import { type LabHost, startLabHost } from '../../../lab/host.js';
import { buildSampleImage, SAMPLE_IMAGE } from '../../../lab/product/image.js';
import type { ClientNames } from '../../../workflows/contract/clients/clients.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import {
  clientNames,
  clientRow,
  connectionsOf,
  emptyWorld,
  newOperation,
  serverRow,
  stepContext,
  type World,
} from '../fake-connections.js';

export const VERSION = '1.3-master';

export interface LabWorld {
  host: LabHost;
  world: World;
  ssh: Ssh;
  connections: Connections;
  sql: ReturnType<typeof createSqlActivities>;
  docker: ReturnType<typeof createDockerActivities>;
  product: ReturnType<typeof createProductActivities>;
  nginx: ReturnType<typeof createNginxActivities>;
  stop(): Promise<void>;
}

export interface LabKind {
  sql: 'mariadb' | 'postgres';
  compose: 'v1' | 'v2';
  srvSizeMb?: number;
  /** docker only through sudo, as for a user outside its group */
  sudo?: boolean;
}

const log = (line: string): void => console.error(line);

/** A real host with the sample product, and the activities on it over ports that hold one server row, `1`. */
export async function startLabWorld({ sql, compose, srvSizeMb, sudo }: LabKind): Promise<LabWorld> {
  const image = await buildSampleImage({ version: VERSION, cacheDir: join(toolsDir, 'sample-product'), log });
  const privateKey = makePrivateKey();
  const host = await startLabHost({
    name: `act-${sql}`,
    sql,
    compose,
    authorizedKey: publicKeyLine(privateKey),
    log,
    images: [image],
    ...(srvSizeMb === undefined ? {} : { srvSizeMb }),
  });
  await host.exec('cat > /srv/docker/.env.example; chown www-data: /srv/docker/.env.example', {
    input: await readFile(new URL('../../../lab/product/.env.example', import.meta.url)),
  });
  if (sudo === true) await host.exec('gpasswd -d www-data docker');
  const ssh = createSsh({ privateKey });
  const world = emptyWorld();
  world.secrets.set('sql-password', host.sqlPassword);
  world.servers.set(1, serverOf(host));
  const connections = connectionsOf(world, ssh);
  return {
    host,
    world,
    ssh,
    connections,
    sql: createSqlActivities(connections),
    docker: createDockerActivities(connections),
    product: createProductActivities(connections),
    nginx: createNginxActivities(connections),
    async stop() {
      await ssh.close();
      await host.stop();
    },
  };
}

function serverOf(host: LabHost) {
  return serverRow({
    name: host.name,
    host: host.address,
    sshPort: host.sshPort,
    sshUser: host.sshUser,
    sshHostKey: host.hostKey.fingerprint,
    sqlEngine: host.sqlEngine,
    sqlHost: host.address,
    sqlPort: host.sqlPort,
    sqlUser: host.sqlUser,
  });
}

export interface LabClient {
  thing: { names: ClientNames; operation: string };
  operation: string;
  /** a step of this client's create; every call is a later one for the host's fence */
  step(key: string, over?: Partial<StepContext>): StepContext;
}

/** A client row with its secrets; numbers below 4000 have a port and a network of their own. */
export function addClient({ world }: LabWorld, id: number, over: Partial<ClientNames> = {}): LabClient {
  const operation = newOperation();
  world.clients.set(id, clientRow({ id, subdomain: `acme${id}` }));
  const secret = (name: string, value: string) => {
    world.secrets.set(`${id}-${name}`, value);
    return `${id}-${name}`;
  };
  world.secrets.set('admin-password', 'correct horse "battery" $1');
  const names = clientNames({
    clientId: id,
    hostname: `acme${id}.example.test`,
    port: 20000 + id,
    subnet: `10.213.${Math.floor(id / 16)}.${(id % 16) * 16}/28`,
    image: `${SAMPLE_IMAGE}:${VERSION}`,
    secrets: {
      databasePassword: secret('db', `Db${id}Password`),
      clientToken: secret('token', `Token${id}`),
      applicationKey: secret('key', Buffer.alloc(32, id).toString('base64')),
    },
    ...over,
  });
  let seq = 0;
  const step = (key: string, more: Partial<StepContext> = {}) => {
    seq += 1;
    return stepContext(operation, { subject: `client:${id}`, step: key, title: key, seq, ...more });
  };
  return { thing: { names, operation }, operation, step };
}

/** All of a create, in its order. */
export async function createWhole(lab: LabWorld, { thing, step }: LabClient): Promise<void> {
  await lab.docker.surveyHost(thing, step('check-host'));
  await lab.sql.surveyDatabase(thing, step('check-database'));
  await lab.sql.ensureDatabase(thing, step('database'));
  await lab.docker.writeClientFiles(thing, step('files'));
  await lab.docker.startContainers(thing, step('container'));
  await lab.product.migrateClient(thing, step('migrate'));
  await lab.product.createBaseData(thing, step('base-data'));
  await lab.sql.writeCloudSettings(thing, step('settings'));
  await lab.nginx.publishVhost({ ...thing, variant: 'live' }, step('vhost'));
  await lab.nginx.checkFromOutside(thing, step('outside-check'));
}

/** All undos of a create, in their order. */
export async function undoWhole(lab: LabWorld, { thing, step }: LabClient): Promise<void> {
  await lab.nginx.removeVhost(thing, step('vhost', { phase: 'undo' }));
  await lab.docker.removeContainers(thing, step('container', { phase: 'undo' }));
  await lab.docker.removeClientFiles(thing, step('files', { phase: 'undo' }));
  await lab.sql.removeDatabase(thing, step('database', { phase: 'undo' }));
}
