import type { ClientRow } from '../../db/queries/clients.js';
import { findOpenOperations } from '../../db/queries/operation-reads.js';
import type { Tx } from '../../db/database.js';
import {
  CLIENT_STATUS_TRAITS,
  type ClientStatus,
  statusesWith,
} from '../../workflows/contract/clients/statuses.js';
import { subjectId } from '../../workflows/contract/operation/ids.js';
import { Problem } from '../http/problem.js';
import { requireClean } from './create.js';

/** A client that is there, whatever it shows to its visitors. */
export const PRESENT: readonly ClientStatus[] = statusesWith('present');

/**
 * Refuses what the client's status does not allow with `wrong_status`; one that an operation is just changing is left
 * to the start, which answers with that operation. `needs_cleanup`: an earlier one has left something.
 */
export async function requireStatus(
  tx: Tx,
  client: ClientRow,
  allowed: readonly ClientStatus[],
): Promise<void> {
  const { id, status } = client;
  await requireClean(tx, id);
  if (allowed.includes(status)) return;
  const subject = subjectId('client', id);
  const passing = !CLIENT_STATUS_TRAITS[status].settled && status !== 'failed';
  if (passing && (await findOpenOperations(tx, [subject])).has(subject)) return;
  throw new Problem('wrong_status', {
    detail: `Client ${id} ${CLIENT_STATUS_TRAITS[status].refusal ?? `is ${status}`}`,
  });
}
