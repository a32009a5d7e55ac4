import type { DockerActivities } from '../../activities/clients/containers/activities.js';
import type { ClientRecords } from '../../activities/clients/records/client-records.js';
import type { ClientThing, DeleteClientParams } from '../contract/clients/clients.js';
import { CLIENT_KINDS } from '../contract/clients/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import type { Operation } from '../operation/story.js';
import { removeThing } from './remove-thing.js';
import { copyBeside } from './whole-copy.js';

const records = acts<ClientRecords>('clients');
const docker = acts<DockerActivities>('clients');

/** Forward-only from its first effect: what cannot be removed is skipped with a note and becomes a warning. */
export async function deleteClient(input: OperationInput<DeleteClientParams>): Promise<void> {
  return runOperation(CLIENT_KINDS.delete_client, input, async (op) => {
    const { clientId } = op.params;
    const client = await op.check('find', {
      title: 'Look the client up',
      do: records.findClientThing({ clientId }),
    });

    op.commit();
    await op.step('mark', { title: 'Record as deleting', do: records.markClientDeleting({ clientId }) });
    if (client !== null) {
      await removeThing(op, client, { archive: () => archive(op, client) });
      for (const kept of client.kept ?? []) {
        await removeThing(op, kept, { suffix: `-kept-${kept.names.serverId}` });
      }
    }
    await op.step('forget', { title: 'Free its names', do: records.forgetClient({ clientId }) });
  });
}

/** Proven before anything of it goes. */
async function archive(op: Operation<DeleteClientParams>, { names, operation }: ClientThing): Promise<void> {
  const { clientId, keepBackup, keepDays } = op.params;
  if (!keepBackup) return;
  const backup = await op.step('backup', {
    title: 'Archive database and files',
    target: names.directory,
    do: docker.backupClient({ names, operation, keepDays }),
    planned: { path: '', sizeBytes: 0 },
    skippable: true,
    within: '6 hours',
  });
  if (backup === undefined) return;
  await op.step('record-backup', {
    title: 'Record the backup',
    do: records.recordBackup({ clientId, keepDays, ...backup }),
  });
  await copyBeside(op, { names, operation }, { path: backup.path, skippable: true });
}
