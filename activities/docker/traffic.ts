import type { ClientThing } from '../../workflows/contract/clients.js';
import { failure } from '../../workflows/contract/failures.js';
import { jobKey, type StepContext } from '../../workflows/contract/step.js';
import { type Connections, nameOf, requireHostKey, type Server, targetOf } from '../connections.js';
import { loadProfile } from '../product/profile.js';
import { type Script, sh } from '../ssh/shell.js';
import { dumpLogin } from './backup.js';
import { refuseChanging } from './changing.js';
import { composeCommand, labelFilters, waitHealthyScript } from './containers.js';
import { dockerFailure } from './docker-errors.js';
import { createHostAccess } from './host.js';
import { type RestoredPart, restoreScript } from './restore.js';

/** Docker gives each container 10 s before it kills it. */
const STOP_TIMEOUT_MS = 100_000;
/** As long as an undo's attempt, less its last words: a container is healthy within its profile's bound, some minutes. */
const START_TIMEOUT_MS = 9 * 60_000;
/** Like a backup: a large client's dump takes hours on slow disks. */
const RESTORE_TIMEOUT_MS = 6 * 3_600_000;

/** What takes a client off for a while, and brings it back as it was. */
export function createTrafficActivities(connections: Connections) {
  const { secrets, ssh } = connections;
  const { openHost, runJob } = createHostAccess(connections);

  /** Attached: as an undo it must also work on a full disk. */
  const run = async (server: Server, script: Script, step: StepContext, timeoutMs: number): Promise<void> => {
    const result = await ssh.run(targetOf(requireHostKey(server)), script, { fence: step, timeoutMs });
    if (result.exitCode === 0) return;
    const what = `${step.title} on ${nameOf(server)}`;
    throw dockerFailure({ what, exitCode: result.exitCode, output: `${result.stdout}\n${result.stderr}` });
  };

  return {
    /** Stops the client's containers; they stay stopped over a restart of Docker or the host. None there is success. */
    stopContainers: async (thing: ClientThing, step: StepContext): Promise<void> => {
      const { server, facts } = await openHost(thing.names.serverId, step);
      await run(server, stopScript(thing, facts.docker), step, STOP_TIMEOUT_MS);
    },

    /**
     * Undo of `stopContainers`: starts them, or makes them by the client's Compose file where they are gone, and waits
     * for health. Refuses while the operation's change of the client's data is not taken back.
     */
    startStopped: async (thing: ClientThing, step: StepContext): Promise<void> => {
      const { server, facts } = await openHost(thing.names.serverId, step);
      const profile = loadProfile(thing.names.product);
      const script = sh`
${refuseChanging(thing.names, step)}
found=$(${facts.docker} ps -aq --no-trunc ${labelFilters(thing)} --filter label=com.docker.compose.oneoff=False </dev/null)
if [ -n "$found" ]; then
  ${facts.docker} update --restart always $found </dev/null >/dev/null
  ${facts.docker} start $found </dev/null >/dev/null
else
  ${composeCommand(thing, facts)} up -d --no-build </dev/null
fi
${waitHealthyScript(thing, { facts, profile })}`;
      await run(server, script, step, START_TIMEOUT_MS);
    },

    /**
     * Puts the backup `path` of the client's server in the place of its database, its files, or both; `data` is the
     * database and the uploads, of a backup that may be another client's. Foreign directories and databases are `Conflict`.
     */
    restoreClient: async (
      { path, what, ...thing }: ClientThing & { path: string; what: RestoredPart },
      step: StepContext,
    ): Promise<void> => {
      const host = await openHost(thing.names.serverId, step);
      const { server, facts } = host;
      requireBackupPath(server, path);
      const key = `${jobKey(step)}-restore`;
      const script = restoreScript({ thing, server, docker: facts.docker, path, what, step, key });
      const input = dumpLogin(server, await secrets.reveal(server.sqlPassword));
      await runJob(host, step, { script, input, timeoutMs: RESTORE_TIMEOUT_MS });
      step.summarize(`${what} from ${path}`);
    },
  };
}

/** Their restart policy too, or a restarted Docker would start what was stopped on purpose. */
function stopScript(thing: ClientThing, docker: readonly string[]): Script {
  return sh`
found=$(${docker} ps -aq --no-trunc ${labelFilters(thing)} </dev/null)
if [ -n "$found" ]; then
  ${docker} update --restart no $found </dev/null >/dev/null
  ${docker} stop $found </dev/null >/dev/null
fi`;
}

function requireBackupPath({ baseDir }: Server, path: string): void {
  const prefix = `${baseDir}/backup/clients/`;
  if (path.startsWith(prefix) && /^[\w-]+$/.test(path.slice(prefix.length))) return;
  throw failure('InvalidInput', `${JSON.stringify(path)} is no directory of backups`);
}
