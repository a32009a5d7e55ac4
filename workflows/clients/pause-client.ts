import type { DockerActivities } from '../../activities/clients/containers/activities.js';
import type { NginxActivities } from '../../activities/clients/publication/activities.js';
import type { ClientChangeRecords } from '../../activities/clients/records/client-change-records.js';
import type { ClientRecords } from '../../activities/clients/records/client-records.js';
import { CLIENT_KINDS, type OnClient } from '../contract/clients/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';

const records = acts<ClientRecords>('clients');
const changes = acts<ClientChangeRecords>('clients');
const docker = acts<DockerActivities>('clients');
const nginx = acts<NginxActivities>('clients');

/** Stopped on purpose and for long: visitors get 503, data and names stay. Whatever restarts the host leaves it stopped. */
export async function pauseClient(input: OperationInput<OnClient>): Promise<void> {
  return runOperation(CLIENT_KINDS.pause_client, input, async (op) => {
    const { clientId } = op.params;
    const change = op.id;
    const client = await op.check('find', {
      title: 'Look the client up',
      do: records.requireClientThing({ clientId }),
    });
    await op.step('page', {
      title: 'Take it off: 503 for its visitors',
      target: client.names.vhostFile,
      do: nginx.publishVhost({ ...client, variant: 'maintenance' }),
      undo: nginx.publishVhost({ ...client, variant: 'live' }),
    });
    await op.step('stop', {
      title: 'Stop containers',
      target: client.names.name,
      do: docker.stopContainers(client),
      undo: docker.startStopped(client),
    });
    await op.step('record', {
      title: 'Record as paused',
      do: changes.recordChange({ clientId, change, set: { status: 'paused' } }),
      undo: changes.restoreRecord({ clientId, change }),
    });
    op.commit();
  });
}

/** Whatever became due meanwhile, such as the lock at the end of its licence, the next sweep does. */
export async function resumeClient(input: OperationInput<OnClient>): Promise<void> {
  return runOperation(CLIENT_KINDS.resume_client, input, async (op) => {
    const { clientId } = op.params;
    const change = op.id;
    const client = await op.check('find', {
      title: 'Look the client up',
      do: records.requireClientThing({ clientId }),
    });
    await op.step('start', {
      title: 'Start containers and check them from inside',
      target: client.names.name,
      do: docker.startStopped(client),
      undo: docker.stopContainers(client),
      within: '10 minutes',
    });
    await op.step('page', {
      title: 'Serve its visitors again',
      target: client.names.vhostFile,
      do: nginx.publishVhost({ ...client, variant: 'live' }),
      undo: nginx.publishVhost({ ...client, variant: 'maintenance' }),
    });
    await op.step('record', {
      title: 'Record as active',
      do: changes.recordChange({ clientId, change, set: { status: 'active' } }),
      undo: changes.restoreRecord({ clientId, change }),
    });
    op.commit();
  });
}
