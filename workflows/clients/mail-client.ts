import type { MailActivities } from '../../activities/clients/mail/activities.js';
import type { MailClientParams } from '../contract/clients/clients.js';
import { CLIENT_KINDS } from '../contract/clients/kinds.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';

const mail = acts<MailActivities>('clients');

/** A mail that cannot be taken back; it needs no server. `maybe_sent`: the mail server's last answer was lost. */
export async function mailClient(
  input: OperationInput<MailClientParams>,
): Promise<{ state: 'sent' | 'maybe_sent' }> {
  return runOperation(CLIENT_KINDS.mail_client, input, async (op) => {
    const { clientId, template } = op.params;
    const { state } = await op.step('mail', {
      title: 'Mail the client',
      do: mail.sendClientMail({ clientId, template }),
      planned: { state: 'sent', withPassword: false },
    });
    return { state };
  });
}
