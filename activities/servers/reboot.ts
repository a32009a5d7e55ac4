import { setTimeout as delay } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { ClientThing } from '../../workflows/contract/clients/clients.js';
import { failure, kindOf } from '../../workflows/contract/operation/failures.js';
import type { ClientAnswer } from '../../workflows/contract/servers/server-work.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';
import type { Connections } from '../clients/connections.js';
import { nameOf, type Server } from '../hosts/connections.js';
import { CLIENT_LABEL, OPERATION_LABEL } from '../clients/containers/compose-file.js';
import { healthDeadlineSeconds } from '../clients/containers/containers.js';
import { askFrom } from '../nginx/ask-from.js';
import { loadProfile } from '../clients/product/profile.js';
import type { ServerReads } from './server-records.js';
import { type Script, sh } from '../ssh/shell.js';
import { mark } from '../../workflows/contract/operation/ids.js';
import { MAY_REBOOT } from './reboot-right.js';
import { createHosts, type ReachedHost } from '../hosts/host.js';

export type RebootActivities = ReturnType<typeof createRebootActivities>;

/** A host may not get its root, and an operator without sudo finds the line to add in check_host. */
const NO_RIGHT_EXIT = 77;
/** Docker gives its containers ten seconds, some services take minutes: longer, something hangs. */
const GOING_DOWN_MS = 10 * 60_000;
/** A file system check of large disks takes most of an hour; a little less than the step may take. */
const COMING_BACK_MS = 55 * 60_000;
/** A host that boots costs nothing to ask, and people wait. */
const ASK_EVERY_MS = 1_000;
const ASK_TIMEOUT_MS = 10_000;
/** Services start one after another on a loaded host. */
const DOCKER_WAIT_SECONDS = 300;
/** All clients one after another on a slow host. */
const START_TIMEOUT_MS = 25 * 60_000;
/** Each asks its own container; more at once would only be slower for all. */
const CLIENTS_AT_ONCE = 8;

/** Rebooting a server, and bringing up what belongs to it. */
export function createRebootActivities({
  serving,
  ...connections
}: Connections & Pick<ServerReads, 'serving'>) {
  const { servers } = connections;
  const hosts = createHosts(connections);

  /** What the script prints; undefined while the host is going down or not up yet. */
  const runOrAway = async (
    host: ReachedHost,
    step: StepContext,
    script: Script,
  ): Promise<string | undefined> => {
    try {
      const { stdout } = await hosts.run(host, step, script, {
        timeoutMs: ASK_TIMEOUT_MS,
        failed: ({ output }) =>
          failure('CommandFailed', `rebooting ${nameOf(host.server)}: ${output.trim()}`),
      });
      return stdout.trim();
    } catch (error) {
      if (kindOf(error) !== 'Unavailable' || step.signal.aborted) throw error;
      return undefined;
    }
  };

  return {
    /** Changes nothing. `InvalidInput` without the right to reboot; answers which boot is running. */
    async surveyReboot({ serverId }: { serverId: number }, step: StepContext): Promise<{ bootId: string }> {
      const host = await hosts.reach(serverId);
      const { stdout } = await hosts.look(host, step, surveyScript, {
        failed: ({ exitCode }) => (exitCode === NO_RIGHT_EXIT ? noRight(host.server) : undefined),
      });
      return { bootId: stdout.trim() };
    },

    /**
     * Ensures that the host runs another boot than the former one and answers over SSH. Told to reboot only while it
     * runs the former one, so that a second attempt does not reboot it again.
     */
    async rebootHost(
      { serverId, formerBootId }: { serverId: number; formerBootId: string },
      step: StepContext,
    ): Promise<{ bootId: string }> {
      const host = await hosts.reach(serverId);
      const name = nameOf(host.server);
      const began = Date.now();
      let told = false;
      for (;;) {
        const bootId = await runOrAway(host, step, told ? readBootId : rebootScript(formerBootId));
        if (bootId !== undefined && bootId !== formerBootId) {
          step.summarize(`boot ${bootId}`);
          return { bootId };
        }
        told ||= bootId !== undefined;
        const waitedMs = Date.now() - began;
        if (bootId !== undefined && waitedMs > GOING_DOWN_MS) throw stillUp(name);
        if (waitedMs > COMING_BACK_MS)
          throw failure('Unavailable', `${name} has not come back since its reboot`);
        await delay(ASK_EVERY_MS, undefined, { signal: step.signal });
      }
    },

    /** Waits for Docker, then starts the containers of clients that should be up and are not; answers how many. */
    async startClients({ serverId }: { serverId: number }, step: StepContext): Promise<{ started: number }> {
      const things = await serving(serverId);
      // what Docker is reached by cannot be told while it is still starting
      const host = await hosts.open(serverId, step, []);
      const script = startScript(things);
      const { tail } = await hosts.runJob(host, step, { script, timeoutMs: START_TIMEOUT_MS });
      const started = Number(/^(\d+) started\s*$/m.exec(tail)?.[1]);
      step.summarize(`${started} of ${things.length} clients`);
      return { started };
    },

    /** Asks every client through nginx until it answers or its time is over; what does not answer is reported, no failure. */
    async checkClients({ serverId }: { serverId: number }, step: StepContext): Promise<ClientAnswer[]> {
      const [server, things] = await Promise.all([servers.get(serverId), serving(serverId)]);
      const limit = pLimit(CLIENTS_AT_ONCE);
      const answers = await Promise.all(
        things.map((thing) => limit(() => askPatiently(server.host, thing, step.signal))),
      );
      const well = answers.filter(({ ok }) => ok).length;
      step.summarize(`${well} of ${answers.length} clients answer`);
      return answers;
    },
  };
}

function noRight(server: Server) {
  return failure('InvalidInput', `${server.sshUser} may not reboot ${nameOf(server)}`, {
    hint: 'allow /sbin/reboot through sudo without a password; check_host prints the line (sudo_reboot)',
  });
}

function stillUp(name: string) {
  return failure('CommandFailed', `${name} was told to reboot and still runs the same boot`, {
    hint: 'look at what keeps it from going down, then retry',
  });
}

const readBootId = sh`cat /proc/sys/kernel/random/boot_id`;

const surveyScript = sh`${MAY_REBOOT}
may_reboot || exit ${NO_RIGHT_EXIT}
${readBootId}`;

/** Behind the fence: a late attempt must not reboot a host that is up again. */
function rebootScript(formerBootId: string): Script {
  return sh`
boot=$(cat /proc/sys/kernel/random/boot_id)
printf '%s\n' "$boot"
[ "$boot" = ${formerBootId} ] || exit 0
if [ "$(id -u)" = 0 ]; then /sbin/reboot; else sudo -n /sbin/reboot; fi >/dev/null </dev/null`;
}

/** Prints `<number> started` last. One that does not start does not keep the others down: the check tells. */
function startScript(things: readonly ClientThing[]): Script {
  const wanted = things.map(({ names, operation }) => `${names.name} ${mark(operation)}`);
  return sh`
wait=${DOCKER_WAIT_SECONDS}
limit=$((SECONDS + wait))
while :; do
  docker=docker
  $docker ps -q >/dev/null 2>&1 && break
  docker='sudo -n docker'
  $docker ps -q >/dev/null 2>&1 && break
  [ "$SECONDS" -lt "$limit" ] || { docker ps -q >/dev/null || exit 1; }
  sleep 0.5
done
count=0
for thing in ${wanted}; do
  read -r name owner <<< "$thing"
  found=$($docker ps -a --filter ${`label=${CLIENT_LABEL}`}="$name" --filter ${`label=${OPERATION_LABEL}`}="$owner" --format '{{.Names}}|{{.State}}')
  while IFS='|' read -r container state; do
    case $state in running | restarting | '') continue ;; esac
    if $docker start "$container" </dev/null >/dev/null; then count=$((count + 1)); fi
  done <<< "$found"
done
printf '%s started\n' "$count"`;
}

async function askPatiently(
  host: string,
  { names }: ClientThing,
  signal: AbortSignal,
): Promise<ClientAnswer> {
  const { clientId, hostname, product } = names;
  const profile = loadProfile(product);
  const until = Date.now() + healthDeadlineSeconds(profile) * 1000;
  for (;;) {
    const status = await askFrom({ host, hostname, path: profile.healthPath, signal }).catch(
      (error: unknown) => {
        if (signal.aborted) throw error;
        return null;
      },
    );
    const ok = status !== null && status >= 200 && status < 400;
    if (ok || Date.now() > until) return { clientId, hostname, ok, status };
    await delay(ASK_EVERY_MS, undefined, { signal });
  }
}
