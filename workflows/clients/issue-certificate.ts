import type { ClientRecords } from '../../activities/clients/records/client-records.js';
import type { JobActivities } from '../../activities/servers/jobs.js';
import { subjectId } from '../contract/operation/ids.js';
import type { LockClientParams } from '../contract/clients/licenses.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import { requireId } from './params.js';
import { secureClient } from './secure-client.js';

const records = acts<ClientRecords>();
const jobs = acts<JobActivities>();

const definition = {
  kind: 'issue_certificate',
  subject: ({ clientId }: LockClientParams) => subjectId('client', clientId),
  title: ({ clientId }: LockClientParams) => `Get a certificate for client ${clientId}`,
  attributes: ({ clientId, serverId }: LockClientParams) => ({
    ClientId: String(clientId),
    ServerId: String(serverId),
  }),
  admission: ({ serverId }: LockClientParams) => ({ servers: [serverId] }),
  tidy: ({ clientId }: LockClientParams, operation: string) => jobs.removeJobs({ clientId, operation }),
  validate({ clientId, serverId }: LockClientParams) {
    requireId('clientId', clientId);
    requireId('serverId', serverId);
  },
};

/** Makes good what a create could not do, or what nobody has renewed. There is nothing to undo: http serves on meanwhile. */
export async function issueCertificate(input: OperationInput<LockClientParams>): Promise<void> {
  return runOperation(definition, input, async (op) => {
    const client = await op.check('find', {
      title: 'Look the client up',
      do: records.requireClientThing({ clientId: op.params.clientId }),
    });
    await secureClient(op, client, { soft: false });
  });
}
