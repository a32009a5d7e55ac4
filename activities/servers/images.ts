import { failure } from '../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';
import type { Connections } from '../clients/connections.js';
import { nameOf, targetOf } from '../hosts/connections.js';
import { dockerFailure } from '../docker/docker-errors.js';
import { loadProfile } from '../clients/product/profile.js';
import { sh } from '../ssh/shell.js';
import { hostFacts } from '../hosts/host-facts.js';

export type ImageActivities = ReturnType<typeof createImageActivities>;

/** A person chooses among these; more would not be read. */
const TAGS_NAMED = 10;

export function createImageActivities(connections: Connections) {
  const { servers, ssh } = connections;
  return {
    /** Changes nothing: `InvalidInput` names the versions of the product's image that are there instead. */
    async requireVersion(
      { serverId, versionTag, image: named }: { serverId: number; versionTag: string; image?: string },
      step: StepContext,
    ): Promise<void> {
      const server = await servers.get(serverId);
      const { image } = loadProfile(server.product);
      if (named !== undefined && named !== image)
        throw failure('InvalidInput', `${named} is not the product's image, which is ${image}`);
      const { docker } = await hostFacts(connections, server, { signal: step.signal, needs: ['docker'] });
      const script = sh`${docker} image ls --format '{{.Tag}}' -- ${image}`;
      const result = await ssh.run(targetOf(server), script, { signal: step.signal });
      const what = `listing ${image} on ${nameOf(server)}`;
      if (result.exitCode !== 0)
        throw dockerFailure({ what, exitCode: result.exitCode, output: result.stderr });
      const tags = result.stdout.split('\n').filter((tag) => tag !== '' && tag !== '<none>');
      if (tags.includes(versionTag)) return;
      const there = tags.slice(0, TAGS_NAMED).join(', ') || 'none';
      throw failure('InvalidInput', `${image}:${versionTag} is not on ${nameOf(server)}; there: ${there}`);
    },
  };
}
