import type { ClientThing, MoveRoute } from '../../../workflows/contract/clients/clients.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import type { Connections } from '../connections.js';
import { clientFiles } from '../containers/client-files.js';
import { createClientHosts } from '../containers/client-hosts.js';
import { CLIENT_FILES } from '../containers/compose-file.js';
import { loadProfile } from '../product/profile.js';

interface Rendering extends MoveRoute {
  keys: ClientThing['names']['secrets'];
  blanked: readonly string[];
}

/** A client's files, rendered for the server that it comes to. */
export function createMovedFileActivities(connections: Connections) {
  const { clients } = connections;
  const hosts = createClientHosts(connections);

  const writeRendered = async (
    { source, target, keys, blanked }: Rendering,
    step: StepContext,
  ): Promise<void> => {
    const { names } = target;
    const [from, to] = await Promise.all([
      hosts.open(source.names.serverId, step),
      hosts.open(names.serverId, step),
    ]);
    const profile = loadProfile(names.product);
    const [client, current, example, secrets] = await Promise.all([
      clients.get(names.clientId),
      hosts.readText(from, `${source.names.directory}/${CLIENT_FILES.env}`, step),
      hosts.readExample(to, profile.envExample, step),
      hosts.revealAll(keys),
    ]);
    const own = { thing: target, server: to.server, client, profile, secrets };
    const files = clientFiles({ ...own, example, current, blanked });
    await hosts.writeFiles(to, { thing: target, files }, step);
  };

  return {
    /** The target's directory with files rendered for it; what the source's `.env` has beside known keys is kept. */
    async writeMovedFiles(route: MoveRoute, step: StepContext): Promise<void> {
      await writeRendered({ ...route, keys: route.target.names.secrets, blanked: [] }, step);
    },

    /** The same for a copy: keys that send something are empty, the application key is as the profile says. */
    async writeCopiedFiles({ source, target }: MoveRoute, step: StepContext): Promise<void> {
      const { applicationKey, blankEnv: blanked } = loadProfile(target.names.product).copy;
      const { secrets: own } = target.names;
      const key = applicationKey === 'source' ? source.names.secrets.applicationKey : own.applicationKey;
      await writeRendered({ source, target, keys: { ...own, applicationKey: key }, blanked }, step);
    },
  };
}
