import type { RefreshActivities } from '../../activities/clients/containers/refresh.js';
import type { NginxActivities } from '../../activities/clients/publication/activities.js';
import type { VhostRefreshActivities } from '../../activities/clients/publication/refresh.js';
import type { ClientThing } from '../contract/clients/clients.js';
import { acts } from '../operation/acts.js';
import type { Operation } from '../operation/story.js';

const docker = acts<RefreshActivities>('clients');
const nginx = acts<NginxActivities>('clients');
const vhosts = acts<VhostRefreshActivities>('clients');

interface Refresh {
  client: ClientThing;
  /** what the caller knows to be untouched is not looked at */
  files?: boolean;
  vhost?: boolean;
}

export interface Refreshed {
  changed: boolean;
  /** to be called behind the commit: the former files are needed no more */
  dropFormer(): Promise<void>;
}

/**
 * Files and virtual host rendered anew, written where they differ, containers restarted where they read something new.
 * A restart that fails rolls back at once: nobody is asked while the client is down.
 */
export async function refreshSteps(
  op: Operation<unknown>,
  { client, files = true, vhost = true }: Refresh,
): Promise<Refreshed> {
  const { names } = client;
  const refreshing = { ...client, change: op.id };
  let restarted = false;
  let swapped = false;
  if (files) {
    const { restart, recreate } = await op.step('files', {
      title: 'Write configuration',
      target: names.directory,
      do: docker.refreshClientFiles(refreshing),
      undo: docker.restoreClientFiles(refreshing),
      planned: { restart: true, recreate: false },
    });
    restarted = restart;
    if (restart) {
      await op.step('restart', {
        title: 'Restart containers',
        target: names.name,
        do: docker.restartContainers({ ...refreshing, recreate }),
        undo: docker.endRestart(client),
        onFail: 'rollback',
        within: '10 minutes',
      });
    }
  }
  if (vhost) {
    const { changed } = await op.step('vhost', {
      title: 'Publish through nginx',
      target: names.vhostFile,
      do: vhosts.refreshVhost(refreshing),
      undo: vhosts.restoreVhost(refreshing),
      planned: { changed: true },
    });
    swapped = changed;
  }
  if (restarted || swapped) {
    await op.step('outside-check', {
      title: 'Check through nginx',
      target: names.hostname,
      do: nginx.checkFromOutside(client),
      skippable: true,
    });
  }
  return {
    changed: restarted || swapped,
    async dropFormer() {
      if (restarted) {
        await op.step('drop-files', {
          title: 'Remove the former configuration',
          target: names.directory,
          do: docker.dropFormerFiles(refreshing),
          onFail: 'warn',
        });
      }
      if (!swapped) return;
      await op.step('drop-vhost', {
        title: 'Remove the former nginx file',
        target: names.vhostFile,
        do: vhosts.dropFormerVhost(refreshing),
        onFail: 'warn',
      });
    },
  };
}
