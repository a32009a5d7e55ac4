import { askDocker } from '../../lab/docker-socket.js';
import type { LabHost } from '../../lab/host.js';

/** Everything that a client could leave on a host. Lists are sorted, so that two censuses compare with deepEqual. */
export interface Census {
  containers: {
    name: string;
    image: string;
    state: string;
    project: string | null;
    labels: Record<string, string>;
  }[];
  networks: { name: string; subnet: string | null; project: string | null; labels: Record<string, string> }[];
  volumes: { name: string; project: string | null }[];
  /** `127.0.0.1:20001->8000/tcp client1-app-1` */
  publishedPorts: string[];
  /** entries of /srv/docker/clients, hidden ones too */
  clientDirectories: string[];
  /** entries of /srv/slipway/jobs */
  jobDirectories: string[];
  /** entries of /srv/backup/clients; kept on purpose after a delete, so no part of `traces` */
  backups: string[];
  /** entries of /etc/nginx/conf.d */
  vhostFiles: string[];
  /** what `nginx -T` knows */
  serverNames: string[];
  databases: { name: string; comment: string }[];
  /** `client1@10.213.0.%` on MariaDB, role names on Postgres */
  sqlUsers: { name: string; comment: string }[];
}

/** One exec and three requests to the engine, all at once; about 100 ms. */
export async function census(host: LabHost): Promise<Census> {
  const socket = host.dockerSocket();
  const ask = async <T>(path: string): Promise<T> => JSON.parse(await askDocker({ socket, path })) as T;
  const [containers, networks, volumes, listed] = await Promise.all([
    ask<DockerContainer[]>('/containers/json?all=1'),
    ask<DockerNetwork[]>('/networks'),
    ask<{ Volumes: DockerVolume[] | null }>('/volumes'),
    host.exec(host.sqlEngine === 'mariadb' ? FILES + MARIADB : FILES + POSTGRES),
  ]);
  const section = sections(listed.stdout);
  return {
    containers: containers
      .map((c) => ({ name: nameOf(c), image: c.Image, state: c.State, ...labelled(c.Labels) }))
      .sort(byName),
    networks: networks
      .filter((n) => !['bridge', 'host', 'none'].includes(n.Name))
      .map((n) => ({ name: n.Name, subnet: n.IPAM.Config?.[0]?.Subnet ?? null, ...labelled(n.Labels ?? {}) }))
      .sort(byName),
    volumes: (volumes.Volumes ?? [])
      .map((v) => ({ name: v.Name, project: labelled(v.Labels ?? {}).project }))
      .sort(byName),
    publishedPorts: containers.flatMap(ports).sort(),
    clientDirectories: section('clients'),
    jobDirectories: section('jobs'),
    backups: section('backups'),
    vhostFiles: section('vhosts'),
    serverNames: [...new Set(section('names').flatMap((line) => line.split(' ')))]
      .filter((n) => n !== '_')
      .sort(),
    databases: section('databases').map(commented).sort(byName),
    sqlUsers: section('users').map(commented).sort(byName),
  };
}

/** One client's share of a census, as lines for a person; empty means nothing is left. `client1` never matches `client10`. */
export function traces(of: Census, client: string): string[] {
  const bears = (text: string | null): boolean => (text ?? '').split(/[^A-Za-z0-9]+/).includes(client);
  const marked = (thing: {
    name: string;
    project: string | null;
    labels?: Record<string, string>;
  }): boolean =>
    bears(thing.name) ||
    bears(thing.project) ||
    Object.values(thing.labels ?? {}).some((value) => value === client);
  const plain = (kind: string, names: string[]): string[] =>
    names.filter(bears).map((name) => `${kind} ${name}`);
  return [
    ...named('container', of.containers.filter(marked)),
    ...named('network', of.networks.filter(marked)),
    ...named('volume', of.volumes.filter(marked)),
    ...plain('port', of.publishedPorts),
    ...plain('directory', of.clientDirectories),
    ...plain('job', of.jobDirectories),
    ...plain('vhost', of.vhostFiles),
    ...plain('server name', of.serverNames),
    ...named(
      'database',
      of.databases.filter(({ name }) => bears(name)),
    ),
    ...named(
      'sql user',
      of.sqlUsers.filter(({ name }) => bears(name.split('@')[0] ?? name)),
    ),
  ];
}

interface DockerContainer {
  Names: string[];
  Image: string;
  State: string;
  Labels: Record<string, string>;
  Ports: { IP?: string; PrivatePort: number; PublicPort?: number; Type: string }[];
}

interface DockerNetwork {
  Name: string;
  IPAM: { Config: { Subnet?: string }[] | null };
  Labels: Record<string, string> | null;
}

interface DockerVolume {
  Name: string;
  Labels: Record<string, string> | null;
}

const FILES = `
echo "== clients"; ls -A /srv/docker/clients 2>/dev/null
echo "== jobs"; ls -A /srv/slipway/jobs 2>/dev/null
echo "== backups"; ls -A /srv/backup/clients 2>/dev/null
echo "== vhosts"; ls -A /etc/nginx/conf.d
echo "== names"; nginx -T 2>/dev/null | grep -v '^ *#' | grep -oP '\\bserver_name\\s+\\K[^;]+'
`;

const MARIADB = `
echo "== databases"
mariadb -N -e "select schema_name, schema_comment from information_schema.schemata
  where schema_name not in ('mysql', 'sys', 'information_schema', 'performance_schema')"
echo "== users"
mariadb -N -e "select concat(user, '@', host), '' from mysql.global_priv
  where user not in ('root', 'mysql', 'mariadb.sys', 'slipway', 'PUBLIC')"
`;

const POSTGRES = `
sql() { setpriv --reuid postgres --regid postgres --init-groups psql -h /run/postgresql -XAtF "$(printf '\\t')" -c "$1"; }
cd /
echo "== databases"
sql "select datname, coalesce(shobj_description(oid, 'pg_database'), '') from pg_database
  where not datistemplate and datname <> 'postgres'"
echo "== users"
sql "select rolname, coalesce(shobj_description(oid, 'pg_authid'), '') from pg_roles
  where rolname !~ '^pg_' and rolname not in ('postgres', 'slipway')"
`;

/** A missing section is a broken script, not an empty host. */
function sections(text: string): (name: string) => string[] {
  const found = new Map<string, string[]>();
  let lines: string[] = [];
  for (const line of text.split('\n')) {
    const [, heading] = /^== (\w+)$/.exec(line) ?? [];
    if (heading !== undefined) found.set(heading, (lines = []));
    else if (line !== '') lines.push(line);
  }
  return (name) => {
    const section = found.get(name);
    if (!section) throw new Error(`the census has no section "${name}"`);
    return section;
  };
}

function commented(line: string): { name: string; comment: string } {
  const [name = '', comment = ''] = line.split('\t');
  return { name, comment };
}

function labelled(labels: Record<string, string>): {
  project: string | null;
  labels: Record<string, string>;
} {
  return { project: labels['com.docker.compose.project'] ?? null, labels };
}

function nameOf(container: DockerContainer): string {
  return (container.Names[0] ?? '').replace(/^\//, '');
}

function ports(container: DockerContainer): string[] {
  return container.Ports.filter((port) => port.PublicPort !== undefined).map(
    (port) => `${port.IP}:${port.PublicPort}->${port.PrivatePort}/${port.Type} ${nameOf(container)}`,
  );
}

function byName(one: { name: string }, other: { name: string }): number {
  return one.name < other.name ? -1 : 1;
}

function named(kind: string, things: { name: string }[]): string[] {
  return things.map(({ name }) => `${kind} ${name}`);
}
