import { findClient } from '../../db/queries/clients.js';
import { findOperation } from '../../db/queries/operation-reads.js';
import { isEnd } from '../../workflows/contract/operation/operation.js';
import { invalidInput } from '../http/router.js';
import type { RouteDeps } from '../operations/deps.js';
import type { Caller } from '../operations/record-start.js';
import { changeClient, type Changed, type ChangeRequest } from './change.js';
import { createClient } from './create.js';
import { noClient } from './read.js';

type SaveRequest = Omit<ChangeRequest, 'id'> & { id: number | undefined; restoreFrom: number | undefined };

/** Creates a client; with the id of a failed one creates it again, with another id changes that client. */
export async function saveClient(
  deps: RouteDeps,
  { id, restoreFrom, ...request }: SaveRequest,
): Promise<Changed> {
  if (id === undefined) return createClient(deps, { ...request, restoreFrom });
  if (await isCreatedAgain(deps, id, request.caller))
    return createClient(deps, { ...request, restoreFrom, failedId: id });
  if (restoreFrom !== undefined)
    throw invalidInput([{ field: 'restore_from', message: `client ${id} is there already` }]);
  return changeClient(deps, { id, ...request });
}

/** Failed, or on its way again by the very same request. */
async function isCreatedAgain(deps: RouteDeps, id: number, caller: Caller): Promise<boolean> {
  const found = await findClient(deps.db, id);
  if (found === undefined) throw noClient(id);
  const { status, operationId } = found.client;
  if (status === 'failed') return true;
  if (status !== 'creating' || operationId === null) return false;
  const operation = await findOperation(deps.db, operationId);
  return (
    operation !== undefined && (isEnd(operation.state) || operation.requestDigest === deps.digest(caller))
  );
}
