import type { MailActivities } from '../../activities/clients/mail/activities.js';
import { failure } from '../contract/operation/failures.js';
import { subjectId } from '../contract/operation/ids.js';
import type { NotifyExpiryParams } from '../contract/clients/licenses.js';
import type { OperationInput } from '../contract/operation/operation.js';
import { acts } from '../operation/acts.js';
import { runOperation } from '../operation/operation.js';
import { requireId } from './params.js';

const mail = acts<MailActivities>();

const definition = {
  kind: 'notify_expiry',
  subject: ({ clientId }: NotifyExpiryParams) => subjectId('client', clientId),
  title: ({ clientId, days }: NotifyExpiryParams) =>
    `Tell client ${clientId} that its licence ends (${days === 0 ? 'on its day' : `${days} days before`})`,
  attributes: ({ clientId }: NotifyExpiryParams) => ({ ClientId: String(clientId) }),
  validate({ clientId, licenseEnd, days }: NotifyExpiryParams) {
    requireId('clientId', clientId);
    if (typeof licenseEnd !== 'string' || Number.isNaN(Date.parse(licenseEnd)))
      throw failure('InvalidInput', '"licenseEnd" must be a moment such as 2031-01-31T00:00:00.000Z');
    if (!Number.isInteger(days) || days < 0)
      throw failure('InvalidInput', '"days" must be a number of days before the end');
  },
};

/** One mail, at most once for this end of the licence, whichever operation sends it. */
export async function notifyExpiry(input: OperationInput<NotifyExpiryParams>): Promise<{ state: string }> {
  return runOperation(definition, input, async (op) => {
    const { clientId, licenseEnd, days } = op.params;
    return op.step('mail', {
      title: 'Tell the client',
      do: mail.sendExpiryNotice({ clientId, licenseEnd, days }),
      planned: { state: 'sent' },
    });
  });
}
