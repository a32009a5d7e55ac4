import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import type { ChangeRef } from '../../../workflows/contract/clients/client-change.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { changedClient, type Connections } from '../connections.js';
import { nameOf, targetOf } from '../../hosts/connections.js';
import { loadProfile } from '../product/profile.js';
import { hostFacts } from '../../hosts/host-facts.js';
import { sh } from '../../ssh/shell.js';
import { type ClientFile, clientFiles, FOREIGN_EXIT } from './client-files.js';
import { CLIENT_FILES } from './compose-file.js';
import { restartScript } from './containers.js';
import { dockerFailure } from '../../docker/docker-errors.js';
import { createHostAccess, type Host } from './host-access.js';
import {
  ABSENT_EXIT,
  dropFormerScript,
  markRestartScript,
  type PresentFiles,
  readFilesScript,
  readPresentFiles,
  replacedPaths,
  replaceFilesScript,
  restoreFilesScript,
} from './refresh-files.js';

export type RefreshActivities = ReturnType<typeof createRefreshActivities>;

/** A stop takes 10 s at most, a start as long as the profile allows, at most some minutes. */
const RESTART_TIMEOUT_MS = 9 * 60_000;

export interface RefreshedFiles {
  /** something that the containers read at their start is another than before */
  restart: boolean;
  /** the Compose file is among it, which a restart alone would not read */
  recreate: boolean;
}

/** `change`: the operation that refreshes, under whose id the former files are kept. */
type Refreshing = ClientThing & Pick<ChangeRef, 'change'>;

/** A client's files rendered anew, and what follows for its containers. */
export function createRefreshActivities(connections: Connections) {
  const { servers, ssh } = connections;
  const { openHost, runJob, readExample, revealAll } = createHostAccess(connections);

  return {
    /** Renders the client's files anew and replaces those that differ; the former ones are kept until `dropFormer`. */
    refreshClientFiles: async (thing: Refreshing, step: StepContext): Promise<RefreshedFiles> => {
      const host = await openHost(thing.names.serverId, step);
      const present = await readFiles(host, thing, step);
      const files = (await render(host, thing, { present, step })).filter(
        ({ path, content }) => present.texts.get(path) !== content,
      );
      const replaced = files.length === 0 ? present.replaced : await replace(host, thing, { files, step });
      step.summarize(replaced.length === 0 ? 'nothing has changed' : `changed: ${replaced.join(', ')}`);
      return { restart: replaced.length > 0, recreate: replaced.includes(CLIENT_FILES.compose) };
    },

    /** Undo of `refreshClientFiles`: every file byte for byte, and the containers restarted when they have seen others. */
    restoreClientFiles: async ({ change, ...thing }: Refreshing, step: StepContext): Promise<void> => {
      const { server, target, facts } = await openHost(thing.names.serverId, step);
      const profile = loadProfile(thing.names.product);
      const restart = restartScript(thing, { facts, profile, recreate: sh`[ "$restarted" = recreate ]` });
      const script = restoreFilesScript({ thing, operation: change, restart });
      const result = await ssh.run(target, script, { fence: step, timeoutMs: RESTART_TIMEOUT_MS });
      if (result.exitCode === 0 || result.exitCode === ABSENT_EXIT) return;
      const what = `putting back the files of ${thing.names.name} on ${nameOf(server)}`;
      throw dockerFailure({ what, exitCode: result.exitCode, output: result.stdout + result.stderr });
    },

    /** The former files are needed no more. */
    dropFormerFiles: async ({ change, ...thing }: Refreshing, step: StepContext): Promise<void> => {
      const server = await servers.get(thing.names.serverId);
      const what = `removing the former files of ${thing.names.name}`;
      await ssh.runOk(targetOf(server), dropFormerScript(thing, change), {
        fence: step,
        what,
      });
    },

    /** Restarts the client's containers, or makes them anew, and waits until they are healthy. `change`: because of its files. */
    restartContainers: async (
      { change, recreate = false, ...thing }: ClientThing & { change?: string; recreate?: boolean },
      step: StepContext,
    ): Promise<void> => {
      const host = await openHost(thing.names.serverId, step);
      const profile = loadProfile(thing.names.product);
      const script = sh`${change === undefined ? sh`:` : markRestartScript(thing, change, recreate)}
${restartScript(thing, { facts: host.facts, profile, recreate: recreate ? sh`true` : sh`false` })}`;
      await runJob(host, step, { script, timeoutMs: RESTART_TIMEOUT_MS });
      step.summarize(`${thing.names.name} is healthy`);
    },

    /** Undo of `restartContainers`: only that it does not go on; what it has started is made good with the files. */
    endRestart: async ({ names }: ClientThing, step: StepContext): Promise<void> => {
      const server = await servers.get(names.serverId);
      await hostFacts(connections, server, step);
      await ssh.endJobs(targetOf(server), step);
    },
  };

  async function readFiles(
    { server, target }: Host,
    { change, ...thing }: Refreshing,
    { signal }: StepContext,
  ): Promise<PresentFiles> {
    const result = await ssh.run(target, readFilesScript(thing, change), { signal });
    if (result.exitCode === 0 && result.truncated !== true) return readPresentFiles(result.stdout);
    const { directory } = thing.names;
    if (result.exitCode === ABSENT_EXIT)
      throw failure('NotFound', `${directory} is not there on ${nameOf(server)}`);
    if (result.exitCode === FOREIGN_EXIT)
      throw failure('Conflict', `${directory} on ${nameOf(server)} is not this client's`);
    if (result.truncated === true)
      throw failure('CommandFailed', `the files in ${directory} are too large to be merged`);
    const what = `reading ${directory} on ${nameOf(server)}`;
    throw dockerFailure({ what, exitCode: result.exitCode, output: result.stderr });
  }

  async function render(
    host: Host,
    { change, ...thing }: Refreshing,
    { present, step }: { present: PresentFiles; step: StepContext },
  ): Promise<ClientFile[]> {
    const { names } = thing;
    const profile = loadProfile(names.product);
    const [client, example, secrets] = await Promise.all([
      changedClient(connections, names.clientId, { change }),
      readExample(host, profile.envExample, step),
      revealAll(names.secrets),
    ]);
    const current = present.texts.get(CLIENT_FILES.env);
    const input = { thing, server: host.server, client, profile, example, secrets };
    return clientFiles({ ...input, ...(current === undefined ? {} : { current }) });
  }

  async function replace(
    { server, target, facts }: Host,
    { change, ...thing }: Refreshing,
    { files, step }: { files: readonly ClientFile[]; step: StepContext },
  ): Promise<string[]> {
    const { envGid } = loadProfile(thing.names.product);
    const script = replaceFilesScript({ thing, operation: change, files, envGid, docker: facts.docker });
    const input = files.map((file) => file.content).join('');
    const result = await ssh.run(target, script, { input, fence: step });
    if (result.exitCode === 0) return replacedPaths(result.stdout.split('\n'));
    const what = `writing ${thing.names.directory} on ${nameOf(server)}`;
    throw dockerFailure({ what, exitCode: result.exitCode, output: result.stderr });
  }
}
