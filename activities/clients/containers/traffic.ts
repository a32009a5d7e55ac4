import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import { jobKey, type StepContext } from '../../../workflows/contract/operation/step.js';
import { splitImage } from '../../../workflows/contract/clients/versions.js';
import type { Connections } from '../connections.js';
import { nameOf, type Server, targetOf } from '../../hosts/connections.js';
import { loadProfile } from '../product/profile.js';
import { joinScripts, type Script, sh } from '../../ssh/shell.js';
import { dumpLogin } from './backup.js';
import { beginChanging, refuseChanging, requireDirectory } from './changing.js';
import { FOREIGN_EXIT, writeFilesScript } from './client-files.js';
import { CLIENT_FILES, renderComposeFile } from './compose-file.js';
import { composeCommand, labelFilters, startScript, waitHealthyScript } from './containers.js';
import { dockerFailure } from '../../docker/docker-errors.js';
import { createHostAccess } from './host-access.js';
import { type RestoredPart, restoreScript } from './restore.js';
import { judgeImage } from './survey.js';

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
    const result = await ssh.run(targetOf(server), script, { fence: step, timeoutMs });
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

    /** Changes nothing: `InvalidInput` names the versions that are there instead. */
    requireImage: async (thing: ClientThing, step: StepContext): Promise<void> => {
      const { server, target, facts } = await openHost(thing.names.serverId, step);
      const [image] = splitImage(thing.names.image);
      const script = sh`${facts.docker} images --format 'image|{{.Tag}}' -- ${image}`;
      const { exitCode, stdout, stderr } = await ssh.run(target, script, { signal: step.signal });
      if (exitCode !== 0)
        throw dockerFailure({ what: `looking at ${nameOf(server)}`, exitCode, output: stderr });
      judgeImage(stdout.split('\n'), thing, server);
    },

    /**
     * The image of `names` in the client's Compose file; nothing is started. From here on its data count as changed:
     * until the operation's commit only `restoreClient` of its files and database makes them whole again.
     */
    switchImage: async (thing: ClientThing, step: StepContext): Promise<void> => {
      const { names, operation } = thing;
      const { server, target, facts } = await openHost(names.serverId, step);
      const profile = loadProfile(names.product);
      const content = renderComposeFile({ ...names, profile, operation });
      const files = [{ path: CLIENT_FILES.compose, mode: '640', content }];
      const write = writeFilesScript({ thing, files, envGid: profile.envGid, docker: facts.docker });
      const script = joinScripts([requireDirectory(thing), beginChanging(names, step), write]);
      const result = await ssh.run(target, script, { input: content, fence: step });
      if (result.exitCode === 0) return;
      const what = `writing ${CLIENT_FILES.compose} of ${names.name} on ${nameOf(server)}`;
      const output = `${result.stdout}\n${result.stderr}`;
      if (result.exitCode === FOREIGN_EXIT) throw failure('Conflict', `${what}: ${output.trim()}`);
      throw dockerFailure({ what, exitCode: result.exitCode, output });
    },

    /** New containers by the Compose file as it is now, whatever was there; healthy when it answers. */
    startAnew: async (thing: ClientThing, step: StepContext): Promise<void> => {
      const host = await openHost(thing.names.serverId, step);
      const profile = loadProfile(thing.names.product);
      const script = startScript(thing, { facts: host.facts, profile, anew: true });
      await runJob(host, step, { script, timeoutMs: START_TIMEOUT_MS });
      step.summarize(`${thing.names.name} is healthy with ${thing.names.image}`);
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

/** Stops the client's containers for good: a restart of Docker or the host does not start them. */
export function stopScript(thing: ClientThing, docker: readonly string[]): Script {
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
