import type { MoveRoute } from '../../../workflows/contract/clients/clients.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { nameOf } from '../../hosts/connections.js';
import { sh } from '../../ssh/shell.js';
import type { Connections } from '../connections.js';
import { createClientHosts } from '../containers/client-hosts.js';
import { workspaceOf } from './workspace.js';

/** A large image on a slow disk. */
const LOAD_TIMEOUT_MS = 25 * 60_000;

export function createMovedImageActivities(connections: Connections) {
  const { ssh } = connections;
  const hosts = createClientHosts(connections);

  return {
    /** The source's image on the target: what is there by its name already, else streamed from the source. */
    async ensureImage({ source, target }: MoveRoute, step: StepContext): Promise<void> {
      const { image } = source.names;
      const to = await hosts.open(target.names.serverId, step);
      const look = sh`${to.facts.docker} image inspect --format . -- ${image} >/dev/null 2>&1 && echo there || true`;
      const { stdout } = await hosts.look(to, step, look);
      if (stdout !== '') return step.summarize(`${image} is on ${nameOf(to.server)} already`);
      const from = await hosts.open(source.names.serverId, step);
      const path = `${workspaceOf(to.server, step.operation)}/image.tar.gz`;
      const sizeBytes = await ssh.transfer({
        from: {
          target: from.target,
          script: sh`set -o pipefail; ${from.facts.docker} save -- ${image} | gzip -1`,
        },
        to: { target: to.target, path },
        step,
        what: `moving the image ${image}`,
        timeoutMs: LOAD_TIMEOUT_MS,
      });
      const script = sh`${to.facts.docker} load --input ${path} && rm -f -- ${path}`;
      await hosts.runJob(to, step, { script, timeoutMs: LOAD_TIMEOUT_MS });
      step.summarize(`${image}, ${sizeBytes} bytes packed`);
    },
  };
}
