import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { ulid } from 'ulid';
import type { Client, Connections } from '../../activities/clients/connections.js';
import { type Server, targetOf } from '../../activities/hosts/connections.js';
import { removeFilesScript } from '../../activities/clients/containers/client-files.js';
import { removeContainersScript } from '../../activities/clients/containers/containers.js';
import { removeScript } from '../../activities/nginx/swap.js';
import { vhostMarker } from '../../activities/clients/vhost-marker.js';
import { loadProfile } from '../../activities/clients/product/profile.js';
import { type HostFacts, hostFacts } from '../../activities/hosts/host-facts.js';
import { sh } from '../../activities/ssh/shell.js';
import type { SshTarget } from '../../activities/ssh/types.js';
import { findClient } from '../../db/queries/clients.js';
import { findServer } from '../../db/queries/servers.js';
import type { ClientNames, ClientThing } from '../../workflows/contract/clients/clients.js';
import type { Rig } from './rig.js';
import { type Section, sectionsOf } from './sections.js';
import { dropStatements } from './sql.js';

/** A client that Slipway has made, as the pattern of those that the peers make. */
export interface Pattern {
  names: ClientNames;
  client: Client;
  server: Server;
  facts: HostFacts;
  target: SshTarget;
  example: string;
  sqlPassword: string;
}

export async function readPattern(rig: Rig, clientId: number, serverId: number): Promise<Pattern> {
  const { db } = rig.database;
  const client = (await findClient(db, clientId))?.client;
  const server = await findServer(db, serverId);
  if (client?.names == null || server === undefined) throw new Error(`client ${clientId} has no names`);
  const connections: Pick<Connections, 'ssh'> = rig;
  const facts = await hostFacts(connections, server, { needs: ['docker', 'compose', 'nginx'] });
  const target = targetOf(server);
  const file = `${server.baseDir}/${loadProfile(server.product).envExample}`;
  const { stdout: example } = await rig.ssh.runOk(target, sh`cat -- ${file}`);
  return { names: client.names, client, server, facts, target, example, sqlPassword: rig.host.sqlPassword };
}

/** Away from Slipway's own addresses; each client is gone before the next one is made. */
const SUBNET = '10.213.255.16/28';
const PORT = 28_900;

let made = 900_000;

/** A place of its own, for clients that are made at the same time. */
export interface PeerOptions {
  subnet?: string;
  port?: number;
  rerunnable?: boolean;
}

/** What one peer makes in one run: a client that is like the pattern, under a number and marks of its own. */
export interface PeerClient {
  thing: ClientThing;
  sections: Section[];
}

export function nextPeerClient(
  pattern: Pattern,
  { subnet = SUBNET, port = PORT, rerunnable = false }: PeerOptions = {},
): PeerClient {
  const clientId = ++made;
  const name = `client${clientId}`;
  const { names, server } = pattern;
  const thing: ClientThing = {
    operation: ulid(),
    names: {
      ...names,
      clientId,
      name,
      directory: `${server.baseDir}/docker/clients/${name}`,
      vhostFile: `${server.vhostDir}/${name}.conf`,
      hostname: `p${clientId}.${server.domain}`,
      subnet,
      port,
    },
  };
  const secrets = {
    databasePassword: randomBytes(12).toString('hex'),
    clientToken: randomBytes(24).toString('hex'),
    applicationKey: randomBytes(32).toString('base64'),
  };
  const adminPassword = randomBytes(12).toString('hex');
  return { thing, sections: sectionsOf({ ...pattern, thing, secrets, adminPassword, rerunnable }) };
}

/** The look from outside, as Slipway's last step before the commit: the product answers through the host's nginx. */
export function checkFromOutside({ server }: Pattern, { names }: Pick<ClientThing, 'names'>): Promise<void> {
  const path = loadProfile(names.product).healthPath;
  return new Promise((resolve, reject) => {
    const headers = { host: names.hostname, connection: 'close' };
    const asked = request({ host: server.host, port: 80, path, headers }, (response) => {
      response.resume();
      if (response.statusCode === 200) resolve();
      else reject(new Error(`${names.hostname} answers ${response.statusCode}`));
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** Everything of a peer's client; outside of what is timed. */
export async function removePeerClient(
  { ssh, host }: Rig,
  pattern: Pattern,
  thing: ClientThing,
): Promise<void> {
  const { names, operation } = thing;
  const { facts, target } = pattern;
  const marker = vhostMarker({ operation, name: names.name });
  await ssh.runOk(target, removeScript({ path: names.vhostFile, marker, nginx: facts.nginx }));
  await ssh.runOk(target, removeContainersScript(thing, facts.docker));
  await ssh.runOk(target, removeFilesScript(thing, facts.docker));
  await host.exec('mariadb', { input: dropStatements(thing) });
}
