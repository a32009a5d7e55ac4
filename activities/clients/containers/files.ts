import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { joinScripts } from '../../ssh/shell.js';
import type { Connections } from '../connections.js';
import { loadProfile } from '../product/profile.js';
import { beginChanging, requireDirectory } from './changing.js';
import { clientFiles, removeFilesScript, writeFilesScript } from './client-files.js';
import { createClientHosts, foreignFailure } from './client-hosts.js';
import { CLIENT_FILES, renderComposeFile } from './compose-file.js';

/** Removing many small files of a client may take minutes. */
const REMOVE_TIMEOUT_MS = 110_000;

/** A client's directory on its server. */
export function createClientFileActivities(connections: Connections) {
  const { clients } = connections;
  const hosts = createClientHosts(connections);

  return {
    /** The client's directory with `.env`, `public/`, `php/add_vars.ini` and its Compose file, all at once or not at all. */
    writeClientFiles: async (thing: ClientThing, step: StepContext): Promise<void> => {
      const { names } = thing;
      const host = await hosts.open(names.serverId, step);
      const profile = loadProfile(names.product);
      const [client, example, secrets] = await Promise.all([
        clients.get(names.clientId),
        hosts.readExample(host, profile.envExample, step),
        hosts.revealAll(names.secrets),
      ]);
      const files = clientFiles({ thing, server: host.server, client, profile, example, secrets });
      await hosts.writeFiles(host, { thing, files }, step);
    },

    /** Undo of `writeClientFiles`, and for a delete; succeeds when the directory is gone, leaves one of another mark. */
    removeClientFiles: async (thing: ClientThing, step: StepContext): Promise<void> => {
      // without Docker a plain rm may still do
      const host = await hosts.openAsIs(thing.names.serverId, step);
      await hosts.run(host, step, removeFilesScript(thing, host.facts.docker), {
        what: `removing ${thing.names.directory}`,
        timeoutMs: REMOVE_TIMEOUT_MS,
      });
    },

    /**
     * The image of `names` in the client's Compose file; nothing is started. From here on its data count as changed:
     * until the operation's commit only `restoreClient` of its files and database makes them whole again.
     */
    switchImage: async (thing: ClientThing, step: StepContext): Promise<void> => {
      const { names, operation } = thing;
      const host = await hosts.open(names.serverId, step);
      const profile = loadProfile(names.product);
      const content = renderComposeFile({ ...names, profile, operation });
      const files = [{ path: CLIENT_FILES.compose, mode: '640', content }];
      const { docker } = host.facts;
      const write = writeFilesScript({ thing, files, envGid: profile.envGid, docker });
      await hosts.run(host, step, joinScripts([requireDirectory(thing), beginChanging(names, step), write]), {
        what: `writing ${CLIENT_FILES.compose} of ${names.name}`,
        input: content,
        quotesAll: true,
        failed: foreignFailure,
      });
    },
  };
}
