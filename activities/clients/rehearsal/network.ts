import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { labelFilters, removeContainersScript } from '../containers/containers.js';
import { labelsOf } from '../containers/compose-file.js';
import { subnetAt, subnetCount } from '../records/client-addresses.js';
import { type Script, sh } from '../../ssh/shell.js';

/** Above what a fan-out does at the same time on one server (`WINDOW_MAX`). */
const NETWORKS = 64;

const REHEARSAL = ['--filter', 'label=slipway.rehearsal'];

/** The pool's last networks but one, which `check_host` has: clients are numbered from the other end. */
export function rehearsalNetworks(pool: string, clientId: number): string[] {
  const end = Math.max(0, subnetCount(pool) - 1);
  const count = Math.min(NETWORKS, end);
  return Array.from({ length: count }, (_, n) => subnetAt(pool, end - 1 - ((clientId + n) % count)));
}

function networkName({ names }: ClientThing): string {
  return `${names.name}-rehearsal`;
}

/** Options that mark a container or a network as the client's, and as made for a rehearsal. */
export function rehearsalLabels(thing: ClientThing): string[] {
  const labels = {
    ...labelsOf({ name: thing.names.name, operation: thing.operation }),
    'slipway.rehearsal': thing.names.name,
  };
  return Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]);
}

/** Prints the subnet of a network that leads nowhere but to its host: the first of `networks` that nobody has. */
export function openNetworkScript(
  thing: ClientThing,
  { docker, networks }: { docker: readonly string[]; networks: readonly string[] },
): Script {
  const filters = [...labelFilters(thing), ...REHEARSAL];
  return sh`
found=$(${docker} network ls -q --no-trunc ${filters} </dev/null)
if [ -n "$found" ]; then exec ${docker} network inspect --format '{{(index .IPAM.Config 0).Subnet}}' -- $found; fi
said='there is no network left for a rehearsal'
for subnet in ${networks}; do
  if said=$(${docker} network create --internal --subnet "$subnet" ${rehearsalLabels(thing)} -- ${networkName(thing)} 2>&1 </dev/null); then
    echo "$subnet"
    exit 0
  fi
  case $said in *overlap*) ;; *) break ;; esac
done
printf '%s\n' "$said" >&2
exit 1`;
}

/** Whatever a rehearsal has left of containers and networks; nothing there is success. */
export function closeNetworkScript(thing: ClientThing, docker: readonly string[]): Script {
  return removeContainersScript(thing, docker, REHEARSAL);
}

export interface RehearsalContainer {
  thing: ClientThing;
  docker: readonly string[];
  /** of the container */
  name: string;
  volumes: readonly string[];
  /** where `.env` of the working directory is seen */
  env: string;
  run: readonly string[];
}

/** Runs a command of the product in that network. */
export function runInNetwork({ thing, docker, name, volumes, env, run }: RehearsalContainer): Script {
  const mounts = volumes.flatMap((volume) => ['--volume', volume]);
  return sh`${docker} run --rm --pull never --network ${networkName(thing)} --name ${name} ${rehearsalLabels(thing)} \
  --volume "$PWD/.env:"${`${env}:ro`} ${mounts} ${thing.names.image} ${run} </dev/null`;
}
