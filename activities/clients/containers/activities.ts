import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import type { Connections } from '../connections.js';
import { nameOf, targetOf } from '../../hosts/connections.js';
import { loadProfile } from '../product/profile.js';
import { hostFacts } from '../../hosts/host-facts.js';
import { type Backup, backupPath, backupScript, dumpLogin } from './backup.js';
import { clientFiles, FOREIGN_EXIT, removeFilesScript, writeFilesScript } from './client-files.js';
import { removeContainersScript, startScript } from './containers.js';
import { dockerFailure } from '../../docker/docker-errors.js';
import { createHostAccess } from './host-access.js';
import { judgeSurvey, surveyScript } from './survey.js';
import { createTrafficActivities } from './traffic.js';

export type DockerActivities = ReturnType<typeof createDockerActivities>;

/** Compose starts a container in seconds; the wait for its health is bounded by the profile, at most some minutes. */
const START_TIMEOUT_MS = 9 * 60_000;
/** As long as the step: a large client's dump and files take hours on slow disks. */
const BACKUP_TIMEOUT_MS = 6 * 3_600_000;
/** Removing many small files of a client may take minutes. */
const REMOVE_TIMEOUT_MS = 110_000;

/** A client's directory and containers on its server. */
export function createDockerActivities(connections: Connections) {
  const { servers, clients, secrets, ssh } = connections;

  const { openHost, runJob, readExample, revealAll } = createHostAccess(connections);

  return {
    ...createTrafficActivities(connections),

    /** Changes nothing: `Conflict` names what is in the way, `InvalidInput` the versions that are there instead. */
    surveyHost: async (
      { imageComes = false, ...thing }: ClientThing & { imageComes?: boolean },
      step: StepContext,
    ): Promise<void> => {
      const { server, target, facts } = await openHost(thing.names.serverId, step);
      const result = await ssh.run(target, surveyScript(thing, facts, server), { signal: step.signal });
      if (result.exitCode !== 0) {
        const what = `looking at ${nameOf(server)}`;
        throw dockerFailure({ what, exitCode: result.exitCode, output: result.stderr });
      }
      judgeSurvey(result.stdout, { thing, server, imageComes });
    },

    /** The client's directory with `.env`, `public/`, `php/add_vars.ini` and its Compose file, all at once or not at all. */
    writeClientFiles: async (thing: ClientThing, step: StepContext): Promise<void> => {
      const { names } = thing;
      const { server, target, facts } = await openHost(names.serverId, step);
      const profile = loadProfile(names.product);
      const [client, example, revealed] = await Promise.all([
        clients.get(names.clientId),
        readExample({ server, target }, profile.envExample, step),
        revealAll(names.secrets),
      ]);
      const files = clientFiles({ thing, server, client, profile, example, secrets: revealed });
      const script = writeFilesScript({ thing, files, envGid: profile.envGid, docker: facts.docker });
      const input = files.map((file) => file.content).join('');
      const result = await ssh.run(target, script, { input, fence: step });
      if (result.exitCode === 0) return;
      if (result.exitCode === FOREIGN_EXIT) {
        throw failure('Conflict', `${names.directory} on ${nameOf(server)} is already there and not ours`);
      }
      const what = `writing ${names.directory} on ${nameOf(server)}`;
      throw dockerFailure({ what, exitCode: result.exitCode, output: result.stderr });
    },

    /** Undo of `writeClientFiles`, and for a delete; succeeds when the directory is gone, leaves one of another mark. */
    removeClientFiles: async (thing: ClientThing, step: StepContext): Promise<void> => {
      const server = await servers.get(thing.names.serverId);
      // without Docker a plain rm may still do
      const { docker } = await hostFacts(connections, server, step);
      const script = removeFilesScript(thing, docker);
      const target = targetOf(server);
      const result = await ssh.run(target, script, { fence: step, timeoutMs: REMOVE_TIMEOUT_MS });
      if (result.exitCode === 0) return;
      const what = `removing ${thing.names.directory} on ${nameOf(server)}`;
      throw dockerFailure({ what, exitCode: result.exitCode, output: result.stderr });
    },

    /** `docker compose up` and the wait for health as one job; `CommandFailed` quotes the end of the container's log. */
    startContainers: async (thing: ClientThing, step: StepContext): Promise<void> => {
      const host = await openHost(thing.names.serverId, step);
      const profile = loadProfile(thing.names.product);
      const script = startScript(thing, { facts: host.facts, profile });
      await runJob(host, step, { script, timeoutMs: START_TIMEOUT_MS });
      step.summarize(`${thing.names.name} is healthy`);
    },

    /** Undo of `startContainers`, and for a delete: by labels, so that it needs no files; nothing there is success. */
    removeContainers: async (thing: ClientThing, step: StepContext): Promise<void> => {
      const server = await servers.get(thing.names.serverId);
      const target = targetOf(server);
      if (step.phase === 'undo') await ssh.endJobs(target, step);
      const { docker, missing } = await hostFacts(connections, server, step);
      if (missing.includes('docker')) return;
      const script = removeContainersScript(thing, docker);
      const result = await ssh.run(target, script, { fence: step, timeoutMs: REMOVE_TIMEOUT_MS });
      if (result.exitCode === 0) return;
      const what = `removing the containers of ${thing.names.name} on ${nameOf(server)}`;
      throw dockerFailure({ what, exitCode: result.exitCode, output: result.stderr });
    },

    /** Dump and archive under `<base_dir>/backup/clients`, whole or absent. `keepDays` is for its record. */
    backupClient: async (
      { names, operation }: ClientThing & { keepDays: number },
      step: StepContext,
    ): Promise<Backup> => {
      const host = await openHost(names.serverId, step);
      const { server, facts } = host;
      const input = dumpLogin(server, await secrets.reveal(server.sqlPassword));
      const thing = { names, operation };
      const script = backupScript({ thing, server, docker: facts.docker, step });
      const { tail } = await runJob(host, step, { script, input, timeoutMs: BACKUP_TIMEOUT_MS });
      const sizeBytes = Number(/size (\d+)\s*$/.exec(tail)?.[1]);
      const path = backupPath(server, names, step);
      step.summarize(`${path}, ${sizeBytes} bytes`);
      return { path, sizeBytes };
    },
  };
}
