import type { PruneActivities } from '../../activities/servers/prune.js';
import type { JobActivities } from '../../activities/servers/jobs.js';
import { requireId } from '../clients/params.js';
import { subjectId } from '../contract/operation/ids.js';
import type { PruneResult, ServerParams } from '../contract/servers/maintenance.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';

const docker = acts<PruneActivities>();
const jobs = acts<JobActivities>();

const definition = {
  kind: 'prune_server',
  subject: ({ serverId }: ServerParams) => subjectId('server', serverId),
  title: ({ serverId }: ServerParams) => `Remove unused images from server ${serverId}`,
  attributes: ({ serverId }: ServerParams) => ({ ServerId: String(serverId) }),
  admission: ({ serverId }: ServerParams) => ({ servers: [serverId], exclusive: true as const }),
  tidy: ({ serverId }: ServerParams, operation: string) => jobs.removeJobs({ serverId, operation }),
  validate: ({ serverId }: ServerParams) => requireId('serverId', serverId),
};

/** Nothing of it can be undone, so it only goes forward; what it removed is what is gone between two looks. */
export async function pruneServer(input: OperationInput<ServerParams>): Promise<PruneResult> {
  return runOperation(definition, input, async (op) => {
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
