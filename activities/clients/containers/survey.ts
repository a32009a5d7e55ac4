import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import { mark } from '../../../workflows/contract/operation/ids.js';
import { splitImage } from '../../../workflows/contract/clients/versions.js';
import { nameOf, type Server } from '../../hosts/connections.js';
import { fileServing, LIST_SERVER_NAMES } from '../../nginx/server-names.js';
import { brokenNeighbour } from '../../nginx/swap-failures.js';
import { vhostMarker } from '../vhost-marker.js';
import type { HostFacts } from '../../hosts/host-facts.js';
import { type Script, sh } from '../../ssh/shell.js';
import { networksOverlap } from '../../docker/networks.js';
import { CLIENT_LABEL, OPERATION_LABEL } from './compose-file.js';

/** Room for one client's first logs and files; with less, the create would end in "disk full" half-way. */
export const LEAST_FREE_BYTES = 200 * 1024 * 1024;

/** Reads all that step 1 of a create wants to know of a host, in lines `<kind>|<field>|…`; writes nothing. A network that
 * a neighbour's operation removes between the listing and the look is none. */
export function surveyScript({ names }: ClientThing, facts: HostFacts, server: Server): Script {
  const [image] = splitImage(names.image);
  const hexPort = names.port.toString(16).toUpperCase().padStart(4, '0');
  return sh`
dir=${names.directory} vhost=${names.vhostFile} port=${hexPort}
if [ -e "$dir" ] || [ -L "$dir" ]; then printf 'directory|%s\n' "$(head -n 1 -- "$dir/.slipway" 2>/dev/null || true)"; fi
if [ -e "$vhost" ] || [ -L "$vhost" ]; then printf 'vhost|%s\n' "$(head -n 1 -- "$vhost" 2>/dev/null || true)"; fi
${facts.docker} ps -a --format ${`container|{{.Names}}|{{.Label "com.docker.compose.project"}}|{{.Label "${OPERATION_LABEL}"}}`}
networks=$(${facts.docker} network ls -q)
${facts.docker} network inspect --format ${`network|{{.Name}}|{{index .Labels "${CLIENT_LABEL}"}}|{{index .Labels "${OPERATION_LABEL}"}}|{{range .IPAM.Config}}{{.Subnet}} {{end}}`} $networks 2>/dev/null || true
${facts.docker} images --format 'image|{{.Tag}}' -- ${image}
awk -v port="$port" '$4 == "0A" && $2 ~ (":" port "$") { print "port|" $2; exit }' /proc/net/tcp /proc/net/tcp6 2>/dev/null || true
df -P -B1 -- ${server.baseDir} | awk 'NR == 2 { print "free|" $4 }'
set -o pipefail
${facts.nginx} -T 2>/dev/null | ${LIST_SERVER_NAMES} || printf 'nginx|%s\n' "$(${facts.nginx} -t 2>&1 | tail -n 3 | tr '\n|' '  ')"`;
}

/** `Conflict`, `InvalidInput` or `CapacityExceeded` for what the survey's output says stands in the way; else nothing. */
export function judgeSurvey(
  output: string,
  { thing, server, imageComes = false }: { thing: ClientThing; server: Server; imageComes?: boolean },
): void {
  const lines = output.split('\n').filter((line) => line !== '');
  const foreign = foreignThings(lines, thing);
  if (foreign.length > 0) {
    throw failure('Conflict', `on ${nameOf(server)} there is already ${foreign.join(', ')}`, {
      hint: 'remove or rename it if nobody needs it, then create the client again',
    });
  }
  const [broken] = fieldsOf(lines, 'nginx');
  if (broken !== undefined) throw brokenNeighbour(server, broken[0] ?? '');
  if (!imageComes) judgeImage(lines, thing, server);
  const freeBytes = Number(fieldsOf(lines, 'free')[0]?.[0]);
  if (!(freeBytes < LEAST_FREE_BYTES)) return;
  const megabytes = Math.floor(freeBytes / 1024 / 1024);
  throw failure(
    'CapacityExceeded',
    `${nameOf(server)} has ${megabytes} MB free under ${server.baseDir}, 200 are needed`,
    {
      hint: 'free space there (prune removes unused images), then retry',
    },
  );
}

/** `InvalidInput` unless a line `image|<tag>` of the output says that the client's version is there. */
export function judgeImage(lines: readonly string[], { names }: ClientThing, server: Server): void {
  const [image, version] = splitImage(names.image);
  const versions = fieldsOf(lines, 'image').flatMap(([tag]) =>
    tag === undefined || tag === '<none>' ? [] : [tag],
  );
  if (versions.includes(version)) return;
  const there = versions.length === 0 ? 'there is none' : `there are ${versions.slice(0, 20).join(', ')}`;
  throw failure('InvalidInput', `version ${version} of ${image} is not on ${nameOf(server)}; ${there}`, {
    hint: 'build that version on the server, or choose one that is there',
  });
}

function fieldsOf(lines: readonly string[], kind: string): string[][] {
  return lines.filter((line) => line.startsWith(`${kind}|`)).map((line) => line.split('|').slice(1));
}

function foreignThings(lines: readonly string[], thing: ClientThing): string[] {
  const { names, operation } = thing;
  const ours = mark(operation);
  const found: string[] = [];
  const [directory] = fieldsOf(lines, 'directory');
  if (directory !== undefined && directory[0] !== ours) found.push(`directory ${names.directory}`);
  const [vhost] = fieldsOf(lines, 'vhost');
  if (vhost !== undefined && vhost[0] !== vhostMarker({ operation, name: names.name }))
    found.push(`vhost ${names.vhostFile}`);
  let running = false;
  for (const [name, project, marked] of fieldsOf(lines, 'container')) {
    if (name !== names.name && project !== names.name) continue;
    if (marked === ours) running = true;
    else found.push(`container ${name}`);
  }
  found.push(...foreignNetworks(lines, thing));
  const [listening] = fieldsOf(lines, 'port');
  if (listening !== undefined && !running) found.push(`something that listens on port ${names.port}`);
  const serving = fileServing(names.hostname, { lines, ownFile: names.vhostFile });
  if (serving !== undefined) found.push(`server_name ${names.hostname} in ${serving}`);
  return found;
}

function foreignNetworks(lines: readonly string[], { names, operation }: ClientThing): string[] {
  return fieldsOf(lines, 'network').flatMap(([name = '', client, marked, subnets = '']) => {
    if (marked === mark(operation)) return [];
    if (client === names.name || name === `${names.name}_default`) return [`network ${name}`];
    const overlapping = subnets.split(' ').find((subnet) => networksOverlap(subnet, names.subnet));
    return overlapping === undefined
      ? []
      : [`network ${name} (${overlapping}), which overlaps ${names.subnet}`];
  });
}
