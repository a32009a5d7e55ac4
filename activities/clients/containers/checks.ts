import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { splitImage } from '../../../workflows/contract/clients/versions.js';
import { sh } from '../../ssh/shell.js';
import type { Connections } from '../connections.js';
import { createClientHosts } from './client-hosts.js';
import { judgeImage, judgeSurvey, surveyScript } from './survey.js';

/** What a server has for a client, before anything is done there. They change nothing. */
export function createContainerChecks(connections: Connections) {
  const hosts = createClientHosts(connections);

  return {
    /** `Conflict` names what is in the way, `InvalidInput` the versions that are there instead. */
    surveyHost: async (
      { imageComes = false, ...thing }: ClientThing & { imageComes?: boolean },
      step: StepContext,
    ): Promise<void> => {
      const host = await hosts.open(thing.names.serverId, step);
      const { server, facts } = host;
      const { stdout } = await hosts.look(host, step, surveyScript(thing, facts, server));
      judgeSurvey(stdout, { thing, server, imageComes });
    },

    /** `InvalidInput` names the versions that are there instead. */
    requireImage: async (thing: ClientThing, step: StepContext): Promise<void> => {
      const host = await hosts.open(thing.names.serverId, step);
      const [image] = splitImage(thing.names.image);
      const script = sh`${host.facts.docker} images --format 'image|{{.Tag}}' -- ${image}`;
      const { stdout } = await hosts.look(host, step, script);
      judgeImage(stdout.split('\n'), thing, host.server);
    },
  };
}
