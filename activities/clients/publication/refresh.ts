import type { ChangeRef } from '../../../workflows/contract/clients/client-change.js';
import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { changedClient, type Connections } from '../connections.js';
import { nameOf, targetOf } from '../../hosts/connections.js';
import { hostFacts } from '../../hosts/host-facts.js';
import { publicationOf, SWAP_TIMEOUT_MS } from './publication.js';
import { CHANGED, dropFormerScript, publishScript, restoreScript } from '../../nginx/swap.js';
import { swapFailure } from '../../nginx/swap-failures.js';
import { vhostMarker } from '../vhost-marker.js';

export type VhostRefreshActivities = ReturnType<typeof createVhostRefreshActivities>;

/** `change`: the operation that refreshes, under whose id the former file is kept. */
type Refreshing = ClientThing & Pick<ChangeRef, 'change'>;

/** A client's live virtual host rendered anew. */
export function createVhostRefreshActivities(connections: Connections) {
  const { servers, ssh } = connections;

  return {
    /** Publishes the client by the nginx swap when its file would be another one; the former is kept until `dropFormerVhost`. */
    refreshVhost: async (
      { change, ...thing }: Refreshing,
      step: StepContext,
    ): Promise<{ changed: boolean }> => {
      const { names } = thing;
      const server = await servers.get(names.serverId);
      const client = await changedClient(connections, names.clientId, { change });
      const live = { thing, server, client, variant: { kind: 'live' } } as const;
      const rendered = await publicationOf(connections, live, step);
      const script = publishScript({ ...rendered.publication, change });
      const input = rendered.texts.join('');
      const options = { input, fence: step, timeoutMs: SWAP_TIMEOUT_MS };
      const result = await ssh.run(targetOf(server), script, options);
      if (result.exitCode !== 0) throw swapFailure(result, { server, file: names.vhostFile });
      const changed = result.stdout.split('\n').includes(CHANGED);
      step.summarize(
        changed ? `${names.hostname} is served by nginx on ${nameOf(server)}` : 'nothing has changed',
      );
      return { changed };
    },

    /** Undo of `refreshVhost`: nginx serves the former file, byte for byte. */
    restoreVhost: async ({ change, names, operation }: Refreshing, step: StepContext): Promise<void> => {
      const server = await servers.get(names.serverId);
      const { nginx } = await hostFacts(connections, server, step);
      const file = { path: names.vhostFile, marker: vhostMarker({ operation, name: names.name }), nginx };
      const options = { fence: step, timeoutMs: SWAP_TIMEOUT_MS };
      const result = await ssh.run(targetOf(server), restoreScript(file, change), options);
      if (result.exitCode !== 0) throw swapFailure(result, { server, file: names.vhostFile });
    },

    /** The former file is needed no more. */
    dropFormerVhost: async ({ change, names }: Refreshing, step: StepContext): Promise<void> => {
      const server = await servers.get(names.serverId);
      const script = dropFormerScript({ path: names.vhostFile }, change);
      const what = `removing the former vhost of ${names.name}`;
      await ssh.runOk(targetOf(server), script, { fence: step, what });
    },
  };
}
