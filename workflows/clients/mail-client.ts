import type { MailActivities } from '../../activities/clients/mail/activities.js';
import type { MailClientParams } from '../contract/clients/clients.js';
import { failure } from '../contract/operation/failures.js';
import { subjectId } from '../contract/operation/ids.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import { requireId } from './params.js';

const mail = acts<MailActivities>();

const TEMPLATES = ['send_success', 'send_expire'];

const definition = {
  kind: 'mail_client',
  subject: ({ clientId }: MailClientParams) => subjectId('client', clientId),
  title: ({ clientId, template }: MailClientParams) => `Mail ${template} to client ${clientId}`,
  attributes: ({ clientId, serverId }: MailClientParams) => ({
    ClientId: String(clientId),
    ServerId: String(serverId),
  }),
  validate({ clientId, template }: MailClientParams) {
    requireId('clientId', clientId);
    if (!TEMPLATES.includes(template))
      throw failure('InvalidInput', `"template" must be one of ${TEMPLATES.join(', ')}`);
  },
};

/** A mail that cannot be taken back; it needs no server. `maybe_sent`: the mail server's last answer was lost. */
export async function mailClient(
  input: OperationInput<MailClientParams>,
): Promise<{ state: 'sent' | 'maybe_sent' }> {
  return runOperation(definition, input, async (op) => {
    const { clientId, template } = op.params;
    const { state } = await op.step('mail', {
      title: 'Mail the client',
      do: mail.sendClientMail({ clientId, template }),
      planned: { state: 'sent', withPassword: false },
    });
    return { state };
  });
}
