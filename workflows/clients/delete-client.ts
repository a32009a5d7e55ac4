import type { DockerActivities } from '../../activities/docker/activities.js';
import type { NginxActivities } from '../../activities/nginx/activities.js';
import type { CertificateActivities } from '../../activities/certificates/activities.js';
import type { ClientRecords, FoundClient } from '../../activities/records/client-records.js';
import type { JobActivities } from '../../activities/servers/jobs.js';
import type { SqlActivities } from '../../activities/sql/activities.js';
import type { DeleteClientParams } from '../contract/clients.js';
import { subjectId } from '../contract/ids.js';
import type { OperationInput } from '../contract/operation.js';
import { acts } from '../operation/acts.js';
import { type Operation, runOperation } from '../operation/operation.js';
import { requireId } from './params.js';

const records = acts<ClientRecords>();
const sql = acts<SqlActivities>();
const certificates = acts<CertificateActivities>();
const docker = acts<DockerActivities>();
const nginx = acts<NginxActivities>();
const jobs = acts<JobActivities>();

const definition = {
  kind: 'delete_client',
  subject: ({ clientId }: DeleteClientParams) => subjectId('client', clientId),
  title: ({ clientId }: DeleteClientParams) => `Delete client ${clientId}`,
  attributes: ({ clientId, serverId }: DeleteClientParams) => ({
    ClientId: String(clientId),
    ServerId: String(serverId),
  }),
  admission: ({ serverId }: DeleteClientParams) => ({ servers: [serverId] }),
  tidy: ({ clientId }: DeleteClientParams, operation: string) => jobs.removeJobs({ clientId, operation }),
  validate({ clientId, serverId }: DeleteClientParams) {
    requireId('clientId', clientId);
    requireId('serverId', serverId);
  },
};

/** Forward-only from its first effect: what cannot be removed is skipped with a note and becomes a warning. */
export async function deleteClient(input: OperationInput<DeleteClientParams>): Promise<void> {
  return runOperation(definition, input, async (op) => {
    const { clientId } = op.params;
    const found = await op.check('find', {
      title: 'Look the client up',
      do: records.findClientThing({ clientId }),
    });

    op.commit();
    await op.step('mark', { title: 'Record as deleting', do: records.markClientDeleting({ clientId }) });
    if (found !== null) await takeDown(op, found);
    await op.step('forget', { title: 'Free its names', do: records.forgetClient({ clientId }) });
  });
}

async function takeDown(op: Operation<DeleteClientParams>, found: FoundClient): Promise<void> {
  const { certificate, ...client } = found;
  const { clientId, keepBackup, keepDays } = op.params;
  const { names } = client;
  await op.step('vhost', {
    title: 'Take it off nginx',
    target: names.vhostFile,
    do: nginx.removeVhost(client),
    skippable: true,
  });
  if (certificate === true) {
    await op.step('certificate', {
      title: 'Remove the certificate',
      target: names.hostname,
      do: certificates.removeCertificate(client),
      skippable: true,
    });
  }
  if (keepBackup) {
    const backup = await op.step('backup', {
      title: 'Archive database and files',
      target: names.directory,
      do: docker.backupClient({ ...client, keepDays }),
      planned: { path: '', sizeBytes: 0 },
      skippable: true,
      within: '6 hours',
    });
    if (backup !== undefined) {
      await op.step('record-backup', {
        title: 'Record the backup',
        do: records.recordBackup({ clientId, keepDays, ...backup }),
      });
    }
  }
  await op.step('containers', {
    title: 'Remove containers',
    target: names.name,
    do: docker.removeContainers(client),
    skippable: true,
  });
  await op.step('files', {
    title: 'Remove files',
    target: names.directory,
    do: docker.removeClientFiles(client),
    skippable: true,
  });
  await op.step('database', {
    title: 'Drop database and user',
    target: names.name,
    do: sql.dropDatabase(client),
    skippable: true,
  });
}
