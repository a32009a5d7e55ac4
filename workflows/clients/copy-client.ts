import type { DockerActivities } from '../../activities/clients/containers/activities.js';
import type { MoveActivities } from '../../activities/clients/moves/activities.js';
import type { NginxActivities } from '../../activities/clients/publication/activities.js';
import type { ProductActivities } from '../../activities/clients/commands/commands.js';
import type { CopyRecords } from '../../activities/clients/records/copy-records.js';
import type { VersionRecords } from '../../activities/clients/records/version-records.js';
import type { SqlActivities } from '../../activities/clients/database/activities.js';
import type { CopyClientParams, CopyPlan } from '../contract/clients/clients.js';
import { subjectId } from '../contract/operation/ids.js';
import { CLIENT_KINDS } from '../contract/clients/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import type { Operation } from '../operation/story.js';
import { dropCopy, keepWholeCopy, lookAgain } from './whole-copy.js';

const records = acts<VersionRecords & CopyRecords>('clients');
const sql = acts<SqlActivities>('clients');
const docker = acts<DockerActivities>('clients');
const product = acts<ProductActivities>('clients');
const nginx = acts<NginxActivities>('clients');
const moves = acts<MoveActivities>('clients');

/** Dumping, moving and restoring a large client takes hours. */
const LONG = '6 hours';
/** Commands of the product and the start of a client take minutes. */
const MINUTES = '10 minutes';

/** Environment and data of one client in another, which stays who it is. The source serves on all the while. */
export async function copyClient(input: OperationInput<CopyClientParams>): Promise<void> {
  return runOperation(CLIENT_KINDS.copy_client, input, async (op) => {
    const { clientId, sourceId } = op.params;
    const plan = await op.check('find', {
      title: 'Look both clients up',
      do: records.findCopy({ clientId, sourceId }),
    });
    const { source, target, next, versionTag, sharesKey } = plan;
    await op.check('check-database', {
      title: 'Check that a dump could be restored',
      target: source.names.name,
      do: sql.checkRestorable(source),
    });
    const path = await bringDump(op, plan);
    await op.during(
      'traffic-off',
      {
        title: 'Take the target off: 503 for its visitors',
        enter: nginx.publishVhost({ ...target, variant: 'maintenance' }),
        leave: nginx.publishVhost({ ...target, variant: 'live', returning: true }),
        leaveTitle: 'Serve its visitors again',
      },
      async () => {
        await replaceData(op, plan, path);
        await op.step('start', {
          title: 'Start containers',
          target: next.names.image,
          do: docker.startAnew(next),
          undo: docker.removeContainers(target),
          within: MINUTES,
        });
        await op.step('inside-check', {
          title: 'Check from inside',
          target: next.names.name,
          do: moves.checkFromInside(next),
        });

        op.commit();
        await op.step('record', {
          title: 'Record the version',
          do: records.recordClientVersion({ clientId, versionTag, image: next.names.image }),
        });
        if (sharesKey) {
          await op.step('application-key', {
            title: 'Record the application key',
            do: records.adoptApplicationKey({ clientId, sourceId }),
          });
        }
      },
    );
    await dropCopy(op, target);
    await op.step('clear-source', {
      title: 'Remove the dump',
      target: subjectId('server', source.names.serverId),
      do: moves.clearMove({ names: source.names }),
      onFail: 'warn',
    });
    await op.step('clear-target', {
      title: 'Remove the dump that was moved',
      target: subjectId('server', target.names.serverId),
      do: moves.clearMove({ names: target.names, movedOnly: true }),
      onFail: 'warn',
    });
  });
}

/** While both serve: the image and a consistent dump of the source, on the target's server. Answers where. */
async function bringDump(
  op: Operation<CopyClientParams>,
  { source, target, next }: CopyPlan,
): Promise<string> {
  const { keepDays } = op.params;
  await op.step('image', {
    title: "Bring the source's image",
    target: next.names.image,
    do: moves.ensureImage({ source, target: next }),
    undo: moves.clearMove({ names: target.names, movedOnly: true }),
    within: '1 hour',
  });
  const dump = await op.step('dump', {
    title: 'Dump the source, which serves on',
    target: source.names.directory,
    do: docker.backupClient({ ...source, keepDays }),
    undo: moves.clearMove({ names: source.names }),
    planned: { path: '', sizeBytes: 0 },
    within: LONG,
  });
  const moved = await op.step('transfer', {
    title: 'Move the dump to the target',
    target: subjectId('server', target.names.serverId),
    do: moves.moveDump({ source, target, path: dump.path }),
    undo: moves.clearMove({ names: target.names, movedOnly: true }),
    planned: { path: '' },
    within: LONG,
  });
  return moved.path;
}

/** Whatever fails in it, what was there comes back whole: database, files and configuration. */
async function replaceData(
  op: Operation<CopyClientParams>,
  { source, target, next, versionTag }: CopyPlan,
  path: string,
): Promise<void> {
  const { clientId, keepDays } = op.params;
  const { name } = target.names;
  await op.step('stop', {
    title: 'Stop containers',
    target: name,
    do: docker.stopContainers(target),
    undo: docker.startStopped(target),
  });
  const { before, after } = await lookAgain(op, { clientId, image: next.names.image });
  const backup = await keepWholeCopy(op, before, { keepDays });
  await op.step('restore', {
    title: "Restore the source's data",
    target: name,
    do: docker.restoreClient({ ...after, path }),
    undo: docker.bringBack({ ...before, path: backup.path }),
    within: LONG,
  });
  await op.step('files', {
    title: "Write configuration with the source's environment",
    target: target.names.directory,
    do: moves.writeCopiedFiles({ source, target: after }),
  });
  await op.step('sanitize', {
    title: 'Make the copy harmless',
    target: name,
    do: product.sanitizeCopy(after),
    undo: docker.removeContainers(target),
    within: MINUTES,
  });
  await op.step('settings', {
    title: "Write the target's cloud settings",
    target: name,
    do: sql.writeCloudSettings(after),
  });
  await op.step('version', {
    title: "Write the source's version into cloud settings",
    target: name,
    do: sql.recordVersion({ ...after, version: versionTag }),
  });
  await op.step('administrator', {
    title: "Write the target's laboratory and administrator",
    target: name,
    do: product.createOwnBaseData(after),
    undo: docker.removeContainers(target),
    within: MINUTES,
  });
}
