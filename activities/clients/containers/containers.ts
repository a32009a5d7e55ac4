import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { mark } from '../../../workflows/contract/operation/ids.js';
import type { ProductProfile } from '../product/profile.js';
import type { HostFacts } from '../../hosts/host-facts.js';
import { ASK_HTTP } from '../../hosts/ask-http.js';
import { type Script, sh } from '../../ssh/shell.js';
import { CLIENT_FILES, CLIENT_LABEL, OPERATION_LABEL } from './compose-file.js';

/**
 * The client's project. Compose would take settings of its own from the `.env` beside its file, which is the product's:
 * Compose 2 is given an empty one, 1.29 takes only real files and so looks where there is none. The file itself names
 * absolute paths only.
 */
export function composeCommand({ names }: Pick<ClientThing, 'names'>, { compose }: HostFacts): string[] {
  const { directory, name } = names;
  const away =
    compose.at(-1) === 'compose' ? ['--env-file', '/dev/null'] : ['--project-directory', `${directory}/php`];
  return [...compose, ...away, '--project-name', name, '--file', `${directory}/${CLIENT_FILES.compose}`];
}

/** Both labels: the client's number and whose it is, so that a neighbour can never match. */
export function labelFilters({ names, operation }: ClientThing): string[] {
  return [
    '--filter',
    `label=${CLIENT_LABEL}=${names.name}`,
    '--filter',
    `label=${OPERATION_LABEL}=${mark(operation)}`,
  ];
}

/** Seconds until a started client must be healthy: what its own check allows, and as long again for a loaded host. */
export function healthDeadlineSeconds({ healthcheck }: Pick<ProductProfile, 'healthcheck'>): number {
  const { startSeconds, intervalSeconds, timeoutSeconds, retries } = healthcheck;
  return 2 * (startSeconds + (intervalSeconds + timeoutSeconds) * retries);
}

/** A container that was started again so often does not come up by waiting. */
const RESTARTS_TOLERATED = 2;

/**
 * Starts the project and waits until its container is healthy, or answers 2xx or 3xx on its health path. Exits with 1
 * and the end of the container's log when it exits, keeps restarting, or does not get there in time. `anew`: also a
 * container that is as it should be is replaced, with whatever was set on it.
 */
export function startScript(
  thing: ClientThing,
  { facts, profile, anew = false }: { facts: HostFacts; profile: ProductProfile; anew?: boolean },
): Script {
  const { names } = thing;
  const replacing = anew ? ['--force-recreate'] : [];
  return sh`
up() { ${composeCommand(thing, facts)} up -d --no-build ${replacing} </dev/null; }
# a daemon that dies in the middle leaves a container of ours that it can neither start nor make again
up_again() {
  made=$(${facts.docker} ps -aq --no-trunc --filter status=created ${labelFilters(thing)} </dev/null)
  [ -n "$made" ] || return 1
  ${facts.docker} rm -f $made </dev/null >/dev/null
  up
}
${facts.docker} image inspect --format . -- ${names.image} >/dev/null
up || up_again
${waitHealthyScript(thing, { facts, profile })}`;
}

/** Waits for a container that was just started; exits as `startScript` does. */
export function waitHealthyScript(
  { names }: Pick<ClientThing, 'names'>,
  { facts, profile }: { facts: HostFacts; profile: ProductProfile },
): Script {
  const waitSeconds = healthDeadlineSeconds(profile);
  return sh`
name=${names.name} port=${names.port} path=${profile.healthPath} host=${names.hostname} wait=${waitSeconds}
${ASK_HTTP}
answers() { [[ $(ask_http "$port" "$path" "$host") =~ ^HTTP/1\.[01]\ [23] ]]; }
state() {
  ${facts.docker} inspect --type container --format ${'{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}} {{.State.OOMKilled}} {{if .State.Health}}{{.State.Health.Status}}{{else}}unchecked{{end}}'} -- "$name"
}
fail() {
  ${facts.docker} logs --tail 20 -- "$name" 2>&1 || true
  printf '%s\n' "container $name $1"
  exit 1
}
limit=$((SECONDS + wait))
while :; do
  if answers; then break; fi
  now=$(state)
  read -r status restarts code killed health <<< "$now"
  [ "$health" != healthy ] || break
  why="exited with $code"
  [ "$killed" != true ] || why='was killed: it needs more memory than there is'
  case $status in exited|dead|removing) fail "$why" ;; esac
  [ "$restarts" -le ${RESTARTS_TOLERATED} ] || fail "$why and was started again $restarts times"
  [ "$SECONDS" -lt "$limit" ] || fail "is $status and $health after $wait seconds, and $path does not answer"
  sleep 0.1
done`;
}

/** Restarts the client's container, or makes it anew; what is not there is started. Waits as `startScript` does. */
export function restartScript(
  thing: ClientThing,
  { facts, profile, recreate }: { facts: HostFacts; profile: ProductProfile; recreate: Script },
): Script {
  const filters = ['--filter', `name=^/?${thing.names.name}$`, ...labelFilters(thing)];
  return sh`
found=$(${facts.docker} ps -aq --no-trunc ${filters} </dev/null)
if [ -n "$found" ] && ${recreate}; then
  ${facts.docker} stop $found </dev/null >/dev/null
  ${facts.docker} rm -f $found </dev/null >/dev/null
elif [ -n "$found" ]; then
  ${facts.docker} restart $found </dev/null >/dev/null
fi
${startScript(thing, { facts, profile })}`;
}

/** Removes all containers that the filters find; one that is on its way out already is waited for. */
export function removeFound(docker: readonly string[], filters: readonly string[]): Script {
  return sh`
for try in 1 2 3 4 5 6; do
  found=$(${docker} ps -aq --no-trunc ${filters} </dev/null)
  [ -n "$found" ] || break
  said=$(${docker} rm -f -v $found 2>&1 </dev/null) && break
  [ "$try" != 6 ] || { printf '%s\n' "$said" >&2; exit 1; }
  sleep 0.5
done`;
}

/**
 * Removes containers and networks of the client that bear the mark, one-off ones too; needs none of its files. `only`:
 * filters that they must pass besides.
 */
export function removeContainersScript(
  thing: ClientThing,
  docker: readonly string[],
  only: readonly string[] = [],
): Script {
  const filters = [...labelFilters(thing), ...only];
  return sh`${removeFound(docker, filters)}
networks=$(${docker} network ls -q --no-trunc ${filters})
[ -z "$networks" ] || ${docker} network rm $networks >/dev/null`;
}
