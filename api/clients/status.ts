import type { ClientRow } from '../../db/queries/clients.js';
import { findOpenOperations } from '../../db/queries/operation-reads.js';
import type { Tx } from '../../db/database.js';
import type { ClientStatus } from '../../db/schema/index.js';
import { subjectId } from '../../workflows/contract/operation/ids.js';
import { Problem } from '../http/problem.js';
import { requireClean } from './create.js';

/** A client that is there, whatever it shows to its visitors. */
export const PRESENT = ['active', 'maintenance', 'expired'] as const satisfies readonly ClientStatus[];

const REASONS: Partial<Record<ClientStatus, string>> = {
  failed: 'has failed: create it again first',
  creating: 'is not created yet',
  deleting: 'is being deleted',
  moving: 'is being moved',
  expired: 'has expired: set a new expire_date first',
  maintenance: 'is in maintenance: turn that off first',
};

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
  const passing = status !== 'failed' && status !== 'expired' && status !== 'maintenance';
  if (passing && (await findOpenOperations(tx, [subject])).has(subject)) return;
  throw new Problem('wrong_status', { detail: `Client ${id} ${REASONS[status] ?? `is ${status}`}` });
}
