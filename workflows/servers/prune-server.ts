import type { PruneActivities } from '../../activities/servers/prune.js';
import type { PruneResult, ServerParams } from '../contract/servers/server-work.js';
import { SERVER_KINDS } from '../contract/servers/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';

const docker = acts<PruneActivities>('servers');

/** Nothing of it can be undone, so it only goes forward; what it removed is what is gone between two looks. */
export async function pruneServer(input: OperationInput<ServerParams>): Promise<PruneResult> {
  return runOperation(SERVER_KINDS.prune_server, input, async (op) => {
    const { serverId } = op.params;
    const before = await op.check('look', {
      title: 'Count the images',
      do: docker.countImages({ serverId }),
    });
    await op.check('choose', { title: 'Choose what nobody needs', do: docker.choosePrunable({ serverId }) });

    op.commit();
    await op.step('prune', {
      title: 'Remove what nobody needs',
      do: docker.pruneImages({ serverId }),
      within: '1 hour',
    });
    const after = await op.step('look-again', {
      title: 'Count the images again',
      do: docker.countImages({ serverId }),
      planned: before,
    });
    return {
      removed: before.tags.filter((tag) => !after.tags.includes(tag)),
      kept: after.tags,
      freedBytes: Math.max(0, before.bytes - after.bytes),
    };
  });
}
