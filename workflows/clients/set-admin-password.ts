import type { MailActivities } from '../../activities/clients/mail/activities.js';
import type { ProductActivities } from '../../activities/clients/commands/commands.js';
import type { ClientRecords } from '../../activities/clients/records/client-records.js';
import type { SetAdminPasswordParams } from '../contract/clients/clients.js';
import { CLIENT_KINDS } from '../contract/clients/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';

const records = acts<ClientRecords>('clients');
const mail = acts<MailActivities>('clients');
const product = acts<ProductActivities>('clients');

/** The product's own command hashes and writes it; what was set before is overwritten, so there is nothing to undo. */
export async function setAdminPassword(input: OperationInput<SetAdminPasswordParams>): Promise<void> {
  return runOperation(CLIENT_KINDS.set_admin_password, input, async (op) => {
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
