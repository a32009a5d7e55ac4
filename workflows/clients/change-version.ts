import type { DockerActivities } from '../../activities/clients/containers/activities.js';
import type { NginxActivities } from '../../activities/clients/publication/activities.js';
import type { ProductActivities } from '../../activities/clients/commands/commands.js';
import type { VersionRecords } from '../../activities/clients/records/version-records.js';
import type { SqlActivities } from '../../activities/clients/database/activities.js';
import type { VersionChange } from '../contract/clients/clients.js';
import type { Rehearsal } from '../contract/clients/rehearsal.js';
import { failure } from '../contract/operation/failures.js';
import { acts } from '../operation/acts.js';
import type { Operation } from '../operation/story.js';
import { rehearse } from './rehearsal.js';
import { dropCopy, keepWholeCopy, lookAgain } from './whole-copy.js';

const records = acts<VersionRecords>('clients');
const sql = acts<SqlActivities>('clients');
const docker = acts<DockerActivities>('clients');
const product = acts<ProductActivities>('clients');
const nginx = acts<NginxActivities>('clients');

/** `docs/contract/clients.md`, Changing a client: `BACKUP_KEEP_DAYS` where nobody says otherwise. */
const KEEP_DAYS = 30;

interface Params {
  clientId: number;
  serverId: number;
  keepDays?: number;
  rehearse?: Rehearsal;
}

/**
 * Rehearsed while it serves. Then, with traffic off: backup, a whole copy of it beside, image, migrations, start. Whatever
 * fails goes back at once to the old image and that copy.
 * Traffic goes on behind the commit: from the first visitor on, a backup would take his work away.
 */
export async function changeVersion(op: Operation<Params>, change: VersionChange): Promise<void> {
  const { current, next, versionTag, migrates } = change;
  const { clientId, serverId, keepDays = KEEP_DAYS } = op.params;
  const { names } = current;
  if (names.serverId !== serverId)
    throw failure('InvalidInput', `client ${clientId} lives on server ${names.serverId}, not ${serverId}`);
  await op.check('check-image', {
    title: 'Look for the image',
    target: next.names.image,
    do: docker.requireImage(next),
  });
  await op.check('check-database', {
    title: 'Check that a backup could be restored',
    target: names.name,
    do: sql.checkRestorable(current),
  });
  await rehearse(op, change);
  await op.during(
    'traffic-off',
    {
      title: 'Take it off: 503 for its visitors',
      enter: nginx.publishVhost({ ...current, variant: 'maintenance' }),
      leave: nginx.publishVhost({ ...current, variant: 'live', returning: true }),
      leaveTitle: 'Serve its visitors again',
    },
    async () => {
      await op.step('stop', {
        title: 'Stop containers',
        target: names.name,
        do: docker.stopContainers(current),
        undo: docker.startStopped(current),
      });
      const { before, after } = await lookAgain(op, { clientId, image: next.names.image });
      const { path } = await keepWholeCopy(op, before, { keepDays });
      await op.step('image', {
        title: 'Write the image into the Compose file',
        target: next.names.image,
        do: docker.switchImage(after),
        undo: docker.bringBack({ ...before, path }),
      });
      if (migrates) {
        await op.step('update', {
          title: 'Run migrations',
          target: next.names.image,
          do: product.migrateClient(after),
          // what still runs of it would write into what comes back
          undo: docker.removeContainers(before),
          within: '2 hours',
        });
      }
      await op.step('version', {
        title: 'Write its version into cloud settings',
        target: names.name,
        do: sql.recordVersion({ ...after, version: versionTag }),
      });
      await op.step('start', {
        title: 'Start containers and check them from inside',
        target: next.names.image,
        do: docker.startAnew(after),
        undo: docker.removeContainers(before),
        within: '10 minutes',
      });

      op.commit();
      await op.step('record', {
        title: 'Record the version',
        do: records.recordClientVersion({ clientId, versionTag, image: next.names.image }),
      });
    },
  );
  await dropCopy(op, current);
}
