import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import type { ChangeRef } from '../../../workflows/contract/clients/client-change.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { changedClient, type Connections } from '../connections.js';
import { nameOf } from '../../hosts/connections.js';
import type { Host } from '../../hosts/host.js';
import { loadProfile } from '../product/profile.js';
import { sh } from '../../ssh/shell.js';
import { type ClientFile, clientFiles, FOREIGN_EXIT } from './client-files.js';
import { CLIENT_FILES } from './compose-file.js';
import { restartScript } from './containers.js';
import { createClientHosts } from './client-hosts.js';
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
  const hosts = createClientHosts(connections);

  return {
    /** Renders the client's files anew and replaces those that differ; the former ones are kept until `dropFormer`. */
    refreshClientFiles: async (thing: Refreshing, step: StepContext): Promise<RefreshedFiles> => {
      const host = await hosts.open(thing.names.serverId, step);
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
      const host = await hosts.open(thing.names.serverId, step);
      const { facts } = host;
      const profile = loadProfile(thing.names.product);
      const restart = restartScript(thing, { facts, profile, recreate: sh`[ "$restarted" = recreate ]` });
      const script = restoreFilesScript({ thing, operation: change, restart });
      await hosts.run(host, step, script, {
        what: `putting back the files of ${thing.names.name}`,
        timeoutMs: RESTART_TIMEOUT_MS,
        answers: [ABSENT_EXIT],
        quotesAll: true,
      });
    },

    /** The former files are needed no more. */
    dropFormerFiles: async ({ change, ...thing }: Refreshing, step: StepContext): Promise<void> => {
      const host = await hosts.reach(thing.names.serverId);
      const what = `removing the former files of ${thing.names.name}`;
      await hosts.run(host, step, dropFormerScript(thing, change), { what });
    },

    /** Restarts the client's containers, or makes them anew, and waits until they are healthy. `change`: because of its files. */
    restartContainers: async (
      { change, recreate = false, ...thing }: ClientThing & { change?: string; recreate?: boolean },
      step: StepContext,
    ): Promise<void> => {
      const host = await hosts.open(thing.names.serverId, step);
      const profile = loadProfile(thing.names.product);
      const script = sh`${change === undefined ? sh`:` : markRestartScript(thing, change, recreate)}
${restartScript(thing, { facts: host.facts, profile, recreate: recreate ? sh`true` : sh`false` })}`;
      await hosts.runJob(host, step, { script, timeoutMs: RESTART_TIMEOUT_MS });
      step.summarize(`${thing.names.name} is healthy`);
    },

    /** Undo of `restartContainers`: only that it does not go on; what it has started is made good with the files. */
    endRestart: async ({ names }: ClientThing, step: StepContext): Promise<void> => {
      await hosts.endJobs(await hosts.reach(names.serverId), step);
    },
  };

  async function readFiles(
    host: Host,
    { change, ...thing }: Refreshing,
    step: StepContext,
  ): Promise<PresentFiles> {
    const { directory } = thing.names;
    const { stdout, truncated } = await hosts.look(host, step, readFilesScript(thing, change), {
      what: `reading ${directory}`,
      failed: ({ exitCode }) => unreadable(exitCode, `${directory} on ${nameOf(host.server)}`),
    });
    if (truncated !== true) return readPresentFiles(stdout);
    throw failure('CommandFailed', `the files in ${directory} are too large to be merged`);
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
      hosts.readExample(host, profile.envExample, step),
      hosts.revealAll(names.secrets),
    ]);
    const current = present.texts.get(CLIENT_FILES.env);
    const input = { thing, server: host.server, client, profile, example, secrets };
    return clientFiles({ ...input, ...(current === undefined ? {} : { current }) });
  }

  async function replace(
    host: Host,
    { change, ...thing }: Refreshing,
    { files, step }: { files: readonly ClientFile[]; step: StepContext },
  ): Promise<string[]> {
    const { envGid } = loadProfile(thing.names.product);
    const { docker } = host.facts;
    const script = replaceFilesScript({ thing, operation: change, files, envGid, docker });
    const input = files.map((file) => file.content).join('');
    const what = `writing ${thing.names.directory}`;
    const { stdout } = await hosts.run(host, step, script, { what, input });
    return replacedPaths(stdout.split('\n'));
  }
}

function unreadable(exitCode: number, where: string): Error | undefined {
  if (exitCode === ABSENT_EXIT) return failure('NotFound', `${where} is not there`);
  if (exitCode === FOREIGN_EXIT) return failure('Conflict', `${where} is not this client's`);
  return undefined;
}
