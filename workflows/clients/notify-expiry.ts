import type { MailActivities } from '../../activities/clients/mail/activities.js';
import type { NotifyExpiryParams } from '../contract/clients/licenses.js';
import { CLIENT_KINDS } from '../contract/clients/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';

const mail = acts<MailActivities>('clients');

/** One mail, at most once for this end of the licence, whichever operation sends it. */
export async function notifyExpiry(input: OperationInput<NotifyExpiryParams>): Promise<{ state: string }> {
  return runOperation(CLIENT_KINDS.notify_expiry, input, async (op) => {
    const { clientId, licenseEnd, days } = op.params;
    return op.step('mail', {
      title: 'Tell the client',
      do: mail.sendExpiryReminder({ clientId, licenseEnd, days }),
      planned: { state: 'sent' },
    });
  });
}
