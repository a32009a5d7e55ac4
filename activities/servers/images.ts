import { failure } from '../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';
import type { Connections } from '../clients/connections.js';
import { nameOf } from '../hosts/connections.js';
import { createHosts } from '../hosts/host.js';
import { loadProfile } from '../clients/product/profile.js';
import { sh } from '../ssh/shell.js';

export type ImageActivities = ReturnType<typeof createImageActivities>;

/** A person chooses among these; more would not be read. */
const TAGS_NAMED = 10;

export function createImageActivities(connections: Connections) {
  const hosts = createHosts(connections);
  return {
    /** Changes nothing: `InvalidInput` names the versions of the product's image that are there instead. */
    async requireVersion(
      { serverId, versionTag, image: named }: { serverId: number; versionTag: string; image?: string },
      step: StepContext,
    ): Promise<void> {
      const host = await hosts.open(serverId, step);
      const { server, facts } = host;
      const { image } = loadProfile(server.product);
      if (named !== undefined && named !== image)
        throw failure('InvalidInput', `${named} is not the product's image, which is ${image}`);
      const script = sh`${facts.docker} image ls --format '{{.Tag}}' -- ${image}`;
      const { stdout } = await hosts.look(host, step, script, { what: `listing ${image}` });
      const tags = stdout.split('\n').filter((tag) => tag !== '' && tag !== '<none>');
      if (tags.includes(versionTag)) return;
      const there = tags.slice(0, TAGS_NAMED).join(', ') || 'none';
      throw failure('InvalidInput', `${image}:${versionTag} is not on ${nameOf(server)}; there: ${there}`);
    },
  };
}
