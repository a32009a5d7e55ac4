import type { MailActivities } from '../../activities/clients/mail/activities.js';
import type { ProductActivities } from '../../activities/clients/commands/commands.js';
import type { ClientRecords } from '../../activities/clients/records/client-records.js';
import type { JobActivities } from '../../activities/servers/jobs.js';
import type { SetAdminPasswordParams } from '../contract/clients/clients.js';
import { failure } from '../contract/operation/failures.js';
import { subjectId } from '../contract/operation/ids.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import { requireId } from './params.js';

const records = acts<ClientRecords>();
const mail = acts<MailActivities>();
const product = acts<ProductActivities>();
const jobs = acts<JobActivities>();

const definition = {
  kind: 'set_admin_password',
  subject: ({ clientId }: SetAdminPasswordParams) => subjectId('client', clientId),
  title: ({ clientId }: SetAdminPasswordParams) => `Set the administrator's password of client ${clientId}`,
  attributes: ({ clientId, serverId }: SetAdminPasswordParams) => ({
    ClientId: String(clientId),
    ServerId: String(serverId),
  }),
  admission: ({ serverId }: SetAdminPasswordParams) => ({ servers: [serverId] }),
  tidy: ({ clientId }: SetAdminPasswordParams, operation: string) => jobs.removeJobs({ clientId, operation }),
  validate({ clientId, serverId, password }: SetAdminPasswordParams) {
    requireId('clientId', clientId);
    requireId('serverId', serverId);
    if (typeof password !== 'string')
      throw failure('InvalidInput', '"password" must be the id of a stored secret');
  },
};

/** The product's own command hashes and writes it; what was set before is overwritten, so there is nothing to undo. */
export async function setAdminPassword(input: OperationInput<SetAdminPasswordParams>): Promise<void> {
  return runOperation(definition, input, async (op) => {
    const { clientId, password } = op.params;
    const client = await op.check('find', {
      title: 'Look the client up',
      do: records.requireClientThing({ clientId }),
    });
    await op.step('password', {
      title: "Set the administrator's password",
      do: product.setAdminPassword({ ...client, password }),
    });
    const { first } = await op.step('record', {
      title: 'Record the change',
      do: records.recordAdminPassword({ clientId, password }),
      plannedBy: records.foreseeAdminPassword({ clientId }),
    });
    if (!first) return;
    await op.step('mail', {
      title: 'Tell the client',
      do: mail.sendClientMail({ clientId, template: 'send_success', password }),
      onFail: 'warn',
    });
  });
}
