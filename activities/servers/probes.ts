import { dataOf } from '../../workflows/contract/clients/databases.js';
import { failure } from '../../workflows/contract/operation/failures.js';
import type {
  CheckHostReport,
  ImageList,
  ProbeInput,
  ProbeResults,
  ProbeTarget,
  RebootRight,
  ReleasedVersions,
  ServerLoad,
} from '../../workflows/contract/servers/probes.js';
import type { Connections } from '../clients/connections.js';
import { type Server, targetOf } from '../hosts/connections.js';
import { createHosts } from '../hosts/host.js';
import { IMAGE_LABELS } from '../docker/image-labels.js';
import { loadProfile } from '../clients/product/profile.js';
import { openSql } from '../sql/open-sql.js';
import { type Script, sh } from '../ssh/shell.js';
import { checkHost } from './check-host.js';
import { MAY_REBOOT } from './reboot-right.js';

/** The API gives up after 5 s and answers what is stored. */
const PROBE_MS = 4_000;

/** Live readings of servers: the one activity of the workflow `probe`, and what it is made of. */
export function createProbes(connections: Connections) {
  const { servers, clients, secrets } = connections;
  const hosts = createHosts(connections);

  const read = async (server: Server, script: Script): Promise<string> => {
    const reader = { title: 'a live reading', signal: AbortSignal.timeout(PROBE_MS) };
    const host = { server, target: targetOf(server) };
    const { stdout } = await hosts.look(host, reader, script, { timeoutMs: PROBE_MS });
    return stdout;
  };

  const readLoad = async (server: Server): Promise<ServerLoad> => {
    const readAt = new Date().toISOString();
    return { readAt, ...parseLoad(await read(server, loadScript(server.baseDir))) };
  };

  const readImages = async (server: Server): Promise<ImageList> => {
    const readAt = new Date().toISOString();
    const { image } = loadProfile(server.product);
    return { readAt, images: parseImages(await read(server, imagesScript(image)), image) };
  };

  const readVersions = async (clientId: number | undefined): Promise<ReleasedVersions> => {
    if (clientId === undefined) throw failure('InvalidInput', 'a probe of kind versions needs a client');
    const readAt = new Date().toISOString();
    const { names } = await clients.get(clientId);
    if (names === null) return { readAt, versions: [] };
    const server = await servers.get(names.serverId);
    const password = await secrets.reveal(server.sqlPassword);
    const signal = AbortSignal.timeout(PROBE_MS);
    const versions = await openSql(server, password, signal, (session) =>
      session.releasedVersions(dataOf(names)),
    );
    return { readAt, versions };
  };

  const readRebootRight = async (server: Server): Promise<RebootRight> => {
    const readAt = new Date().toISOString();
    const said = await read(
      server,
      sh`${MAY_REBOOT}
if may_reboot; then echo yes; fi`,
    );
    return { readAt, allowed: said.trim() === 'yes' };
  };

  return {
    /** `NotFound` for an unknown server; a host that does not answer is a report for `check_host`, a failure otherwise. */
    async probeServer({
      kind,
      serverId,
      clientId,
      target,
    }: ProbeInput): Promise<ProbeResults[ProbeInput['kind']]> {
      if (kind === 'versions') return readVersions(clientId);
      const server = serverId === undefined ? undefined : await servers.get(serverId);
      if (kind === 'check_host') {
        const checked = server === undefined ? target : probeTargetOf(server);
        if (checked === undefined) throw failure('InvalidInput', 'a probe needs a server or a target');
        return checkHost(connections, checked) satisfies Promise<CheckHostReport>;
      }
      if (server === undefined) throw failure('InvalidInput', `a probe of kind ${kind} needs a server`);
      if (kind === 'reboot_right') return readRebootRight(server);
      return kind === 'load' ? readLoad(server) : readImages(server);
    },
  };
}

function probeTargetOf(server: Server): ProbeTarget {
  const { host, sshPort, sshUser, sshHostKey, sqlEngine, sqlHost, sqlPort, sqlUser, sqlPassword } = server;
  const { domain, baseDir, vhostDir, clientPool } = server;
  return {
    host,
    sshPort,
    sshUser,
    sshHostKey,
    sqlEngine,
    sqlHost,
    sqlPort,
    sqlUser,
    sqlPassword,
    domain,
    baseDir,
    vhostDir,
    clientPool,
  };
}

const FIND_DOCKER = sh`docker=docker
docker ps -q >/dev/null 2>&1 || { sudo -n docker ps -q >/dev/null 2>&1 && docker='sudo -n docker'; } || true`;

function loadScript(baseDir: string): Script {
  return sh`${FIND_DOCKER}
read -r one five fifteen _ < /proc/loadavg
read -r uptime _ < /proc/uptime
echo "load $one $five $fifteen"
echo "uptime $uptime"
echo "cpus $(nproc)"
awk '/^Mem(Total|Available):/ { print tolower($1), $2 * 1024 }' /proc/meminfo
df -P -B1 -- ${baseDir} | awk 'NR == 2 { print "disk", $2, $4 }'
$docker info --format 'docker {{.ServerVersion}} {{.ContainersRunning}} {{.Containers}} {{.Images}}' 2>/dev/null || true`;
}

/** Figures of `loadScript`; without an answering Docker its figures are null and 0. */
export function parseLoad(text: string): Omit<ServerLoad, 'readAt'> {
  const lines = new Map(
    text.split('\n').map((line) => [line.split(' ')[0] ?? '', line.split(' ').slice(1)] as const),
  );
  const number = (key: string, index = 0) => Number(lines.get(key)?.[index] ?? 0);
  return {
    loadAverage: [number('load'), number('load', 1), number('load', 2)],
    cpus: number('cpus'),
    memoryTotalBytes: number('memtotal:'),
    memoryAvailableBytes: number('memavailable:'),
    diskTotalBytes: number('disk'),
    diskFreeBytes: number('disk', 1),
    dockerVersion: lines.get('docker')?.[0] || null,
    containersRunning: number('docker', 1),
    containersTotal: number('docker', 2),
    images: number('docker', 3),
    uptimeSeconds: number('uptime'),
  };
}

const IMAGE_LINE = `{{.Id}}|{{.Size}}|{{.Created}}|{{index .Config.Labels "${IMAGE_LABELS.branch}"}}|{{index .Config.Labels "${IMAGE_LABELS.commit}"}}|{{range .RepoTags}}{{.}},{{end}}`;

/** Labels are those that a build writes on the product's images. */
export function imagesScript(image: string): Script {
  return sh`${FIND_DOCKER}
ids=$($docker image ls -q --no-trunc -- ${image})
[ -n "$ids" ] || exit 0
$docker image inspect --format ${IMAGE_LINE} -- $(printf '%s\n' $ids | sort -u)`;
}

/** One entry per tag of `image`, newest first. */
export function parseImages(text: string, image: string): ImageList['images'] {
  const found = text.split('\n').flatMap((line) => {
    const [id = '', size, createdAt = '', branch, commit, tags = ''] = line.split('|');
    return tags.split(',').flatMap((reference) => {
      if (!reference.startsWith(`${image}:`)) return [];
      const tag = reference.slice(image.length + 1);
      return [
        { tag, id, sizeBytes: Number(size), createdAt, branch: branch || null, commit: commit || null },
      ];
    });
  });
  return found.sort((one, other) => (one.createdAt < other.createdAt ? 1 : -1));
}
