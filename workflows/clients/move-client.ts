import type { DockerActivities } from '../../activities/clients/containers/activities.js';
import type { MoveActivities } from '../../activities/clients/moves/activities.js';
import type { NginxActivities } from '../../activities/clients/publication/activities.js';
import type { ClientPlaceRecords } from '../../activities/clients/records/client-places.js';
import type { ClientRecords } from '../../activities/clients/records/client-records.js';
import type { SqlActivities } from '../../activities/clients/database/activities.js';
import type { ClientThing, MoveClientParams, MoveRoute } from '../contract/clients/clients.js';
import { subjectId } from '../contract/operation/ids.js';
import { CLIENT_KINDS } from '../contract/clients/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import type { Operation } from '../operation/story.js';
import { secureClient } from './secure-client.js';

const records = acts<ClientRecords>('clients');
const places = acts<ClientPlaceRecords>('clients');
const sql = acts<SqlActivities>('clients');
const docker = acts<DockerActivities>('clients');
const nginx = acts<NginxActivities>('clients');
const moves = acts<MoveActivities>('clients');

/** Dumping, moving and restoring a large client takes hours. */
const LONG = '6 hours';
/** Until a client is healthy. */
const START = '10 minutes';

/** A client on another server: prepared while the source runs, and until the commit the source is what serves. */
export async function moveClient(input: OperationInput<MoveClientParams>): Promise<{ url: string }> {
  return runOperation(CLIENT_KINDS.move_client, input, async (op) => {
    const { clientId, targetServerId: serverId, keepDays } = op.params;
    const source = await op.check('find', {
      title: 'Look the client up',
      do: records.requireClientThing({ clientId }),
    });
    const { target, underMaintenance, certificate } = await op.step('reserve', {
      title: 'Take a port and a network on the target',
      target: subjectId('server', serverId),
      do: places.reserveTarget({ clientId, serverId }),
      undo: places.releaseTarget({ clientId, serverId }),
      plannedBy: places.foreseeTarget({ clientId, serverId }),
    });
    await prepareTarget(op, { source, target });
    await op.during(
      'traffic-off',
      {
        title: 'Take the source off traffic',
        enter: nginx.publishVhost({ ...source, variant: 'maintenance' }),
        leave: nginx.publishVhost({ ...source, variant: 'live' }),
        leaveTitle: 'Bring the source back to traffic',
        outlived: true,
      },
      async () => {
        await carryData(op, { source, target });
        await startTarget(op, target, { underMaintenance });

        op.commit();
        await op.step('switch', {
          title: 'Record the target as the client',
          do: places.switchToTarget({ clientId, serverId, keepDays }),
        });
      },
    );
    await leadVisitorsOver(op, { source, target });
    // behind the old vhost, which passes the authority's questions on while DNS still leads there
    const secured = certificate === true && (await secureClient(op, target, { soft: true }));
    await removeDumps(op, { source, target });
    return { url: `${secured ? 'https' : 'http'}://${target.names.hostname}/` };
  });
}

/** Everything but the data; visitors do not see it yet. */
async function prepareTarget(op: Operation<MoveClientParams>, { source, target }: MoveRoute): Promise<void> {
  const { names } = target;
  const server = subjectId('server', names.serverId);
  await op.check('check-host', {
    title: 'Check the target',
    target: server,
    do: docker.surveyHost({ ...target, imageComes: true }),
  });
  await op.check('check-database', {
    title: "Check the target's SQL server",
    target: server,
    do: sql.surveyDatabase(target),
  });
  await op.step('image', {
    title: 'Bring the image to the target',
    target: names.image,
    do: moves.ensureImage({ source, target }),
    undo: moves.clearMove({ names }),
    within: '1 hour',
  });
  await op.step('database', {
    title: 'Create database and user',
    target: names.name,
    do: sql.ensureDatabase(target),
    undo: sql.removeDatabase(target),
  });
  await op.step('files', {
    title: 'Write configuration',
    target: names.directory,
    do: moves.writeMovedFiles({ source, target }),
    undo: docker.removeClientFiles(target),
  });
  await op.step('vhost', {
    title: 'Prepare nginx, closed to visitors',
    target: names.vhostFile,
    do: nginx.publishVhost({ ...target, variant: 'maintenance' }),
    undo: nginx.removeVhost(target),
  });
}

/** From a source that stands still. Each undo also ends what its step has running. */
async function carryData(op: Operation<MoveClientParams>, { source, target }: MoveRoute): Promise<void> {
  const atSource = moves.clearMove({ names: source.names });
  const atTarget = moves.clearMove({ names: target.names });
  await op.step('stop', {
    title: "Stop the source's containers",
    target: source.names.name,
    do: docker.stopContainers(source),
    undo: docker.startStopped(source),
  });
  const { path } = await op.step('dump', {
    title: 'Dump database and files',
    target: source.names.directory,
    do: docker.backupClient({ ...source, keepDays: op.params.keepDays }),
    undo: atSource,
    planned: { path: '', sizeBytes: 0 },
    within: LONG,
  });
  await op.step('sums', {
    title: 'Sum up the source',
    target: source.names.name,
    do: moves.sumSource({ ...source, path }),
    undo: atSource,
    within: LONG,
  });
  const moved = await op.step('transfer', {
    title: 'Move the dump to the target',
    target: subjectId('server', target.names.serverId),
    do: moves.moveDump({ source, target, path }),
    undo: atTarget,
    planned: { path: '' },
    within: LONG,
  });
  await op.step('restore', {
    title: 'Restore database and files',
    target: target.names.name,
    do: docker.restoreClient({ ...target, ...moved }),
    undo: atTarget,
    within: LONG,
  });
  await op.step('compare', {
    title: 'Compare with the source',
    target: target.names.name,
    do: moves.compareWithSource({ ...target, ...moved }),
    undo: atTarget,
    within: LONG,
  });
}

/** Inside only. */
async function startTarget(
  op: Operation<MoveClientParams>,
  target: ClientThing,
  { underMaintenance }: { underMaintenance: boolean },
): Promise<void> {
  await op.step('maintenance', {
    title: "Reset the product's maintenance page",
    target: target.names.name,
    do: sql.writeMaintenance({ ...target, on: underMaintenance }),
  });
  await op.step('container', {
    title: 'Start containers on the target',
    target: target.names.image,
    do: docker.startContainers(target),
    undo: docker.removeContainers(target),
    within: START,
  });
  await op.step('inside-check', {
    title: 'Check from inside',
    target: target.names.name,
    do: moves.checkFromInside(target),
  });
}

/** The client has moved: from here on everything only goes forward. */
async function leadVisitorsOver(
  op: Operation<MoveClientParams>,
  { source, target }: MoveRoute,
): Promise<void> {
  await op.step('live', {
    title: 'Publish the target',
    target: target.names.vhostFile,
    do: nginx.publishVhost({ ...target, variant: 'live' }),
  });
  await op.step('old-vhost', {
    title: 'Lead visitors of the source to the target',
    target: source.names.vhostFile,
    do: nginx.publishVhost({ ...source, variant: 'moved', movedTo: target.names }),
    skippable: true,
  });
  await op.step('outside-check', {
    title: 'Check through nginx',
    target: target.names.hostname,
    do: nginx.checkFromOutside(target),
    onFail: 'warn',
  });
}

async function removeDumps(op: Operation<MoveClientParams>, { source, target }: MoveRoute): Promise<void> {
  for (const [key, { names }] of [
    ['clear-target', target],
    ['clear-source', source],
  ] as const) {
    await op.step(key, {
      title: 'Remove the dump',
      target: subjectId('server', names.serverId),
      do: moves.clearMove({ names }),
      onFail: 'warn',
    });
  }
}
