import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { ASK_HTTP } from '../../hosts/ask-http.js';
import { nameOf } from '../../hosts/connections.js';
import { sh } from '../../ssh/shell.js';
import type { Connections } from '../connections.js';
import { createClientHosts } from '../containers/client-hosts.js';
import { loadProfile } from '../product/profile.js';

export function createInsideCheckActivities(connections: Connections) {
  const hosts = createClientHosts(connections);

  return {
    /** Asks the client on its own port, past nginx. */
    async checkFromInside({ names }: ClientThing, step: StepContext): Promise<void> {
      const host = await hosts.open(names.serverId, step);
      const { healthPath } = loadProfile(names.product);
      const script = sh`${ASK_HTTP}
ask_http ${names.port} ${healthPath} ${names.hostname}`;
      const { stdout } = await hosts.look(host, step, script);
      if (/^HTTP\/1\.[01] [23]/.test(stdout)) return;
      const answer = stdout.trim() === '' ? 'does not answer' : `answers ${stdout.trim()}`;
      throw failure('Unavailable', `${healthPath} of ${names.name} on ${nameOf(host.server)} ${answer}`);
    },
  };
}
