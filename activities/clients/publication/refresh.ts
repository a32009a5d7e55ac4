import type { ChangeRef } from '../../../workflows/contract/clients/client-change.js';
import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { changedClient, type Connections } from '../connections.js';
import { nameOf } from '../../hosts/connections.js';
import { createHosts } from '../../hosts/host.js';
import { publicationOf, swapping } from './publication.js';
import { CHANGED, dropFormerScript, publishScript, restoreScript } from '../../nginx/swap.js';
import { vhostMarker } from '../vhost-marker.js';

export type VhostRefreshActivities = ReturnType<typeof createVhostRefreshActivities>;

/** `change`: the operation that refreshes, under whose id the former file is kept. */
type Refreshing = ClientThing & Pick<ChangeRef, 'change'>;

/** A client's live virtual host rendered anew. */
export function createVhostRefreshActivities(connections: Connections) {
  const hosts = createHosts(connections);

  return {
    /** Publishes the client by the nginx swap when its file would be another one; the former is kept until `dropFormerVhost`. */
    refreshVhost: async (
      { change, ...thing }: Refreshing,
      step: StepContext,
    ): Promise<{ changed: boolean }> => {
      const { names } = thing;
      const host = await hosts.reach(names.serverId);
      const { server } = host;
      const client = await changedClient(connections, names.clientId, { change });
      const live = { thing, server, client, variant: { kind: 'live' } } as const;
      const rendered = await publicationOf(connections, live, step);
      const script = publishScript({ ...rendered.publication, change });
      const how = { ...swapping(server, names), input: rendered.texts.join('') };
      const { stdout } = await hosts.run(host, step, script, how);
      const changed = stdout.split('\n').includes(CHANGED);
      step.summarize(
        changed ? `${names.hostname} is served by nginx on ${nameOf(server)}` : 'nothing has changed',
      );
      return { changed };
    },

    /** Undo of `refreshVhost`: nginx serves the former file, byte for byte. */
    restoreVhost: async ({ change, names, operation }: Refreshing, step: StepContext): Promise<void> => {
      const host = await hosts.open(names.serverId, step, []);
      const { nginx } = host.facts;
      const file = { path: names.vhostFile, marker: vhostMarker({ operation, name: names.name }), nginx };
      await hosts.run(host, step, restoreScript(file, change), swapping(host.server, names));
    },

    /** The former file is needed no more. */
    dropFormerVhost: async ({ change, names }: Refreshing, step: StepContext): Promise<void> => {
      const script = dropFormerScript({ path: names.vhostFile }, change);
      const what = `removing the former vhost of ${names.name}`;
      await hosts.run(await hosts.reach(names.serverId), step, script, { what });
    },
  };
}
