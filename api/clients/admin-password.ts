import { recordAudit } from '../../db/queries/audit.js';
import { findClient, lockClient, updateClient } from '../../db/queries/clients.js';
import { findOpenOperations, findOperation, type ListedOperation } from '../../db/queries/operation-reads.js';
import {
  ADMIN_PASSWORD_SIGNAL,
  type SetAdminPasswordParams,
} from '../../workflows/contract/clients/clients.js';
import { subjectId } from '../../workflows/contract/operation/ids.js';
import { isEnd } from '../../workflows/contract/operation/operation.js';
import type { StartedBy } from '../operations/caller.js';
import type { RouteDeps } from '../operations/deps.js';
import { openRun } from '../operations/control.js';
import { Problem } from '../http/problem.js';
import { requireClean } from './create.js';
import type { Planned } from '../operations/plan.js';
import { type Started, startOperation } from '../operations/start.js';

const PASSWORD_LIFE_MS = 7 * 86_400_000;
const SIGNAL_MS = 2_000;
/** Between the end of a create's story and its record lie some milliseconds; a password that arrives there is heard by nobody. */
const END_LOOK_MS = 1_000;

interface SetPassword extends StartedBy {
  id: number;
  password: string;
}

/**
 * Sets the administrator's password: handed to a create that still runs, as its last step, else by an operation of
 * its own. Only a reference leaves the database.
 */
export async function setAdminPassword(deps: RouteDeps, request: SetPassword): Promise<Started | Planned> {
  const found = await findClient(deps.db, request.id);
  if (found === undefined) throw new Problem('not_found', { detail: `There is no client ${request.id}` });
  const subject = subjectId('client', request.id);
  const open = (await findOpenOperations(deps.db, [subject])).get(subject);
  if (open?.kind === 'create_client' && !request.caller.plan) {
    const handed = await handToCreate(deps, open, request);
    if (handed !== undefined) return handed;
  }
  return startOperation<SetAdminPasswordParams>(
    { ...deps },
    {
      kind: 'set_admin_password',
      caller: request.caller,
      options: request.options,
      async prepare(tx) {
        const client = await lockClient(tx, request.id);
        if (client === undefined)
          throw new Problem('not_found', { detail: `There is no client ${request.id}` });
        if (client.status === 'failed')
          throw new Problem('wrong_status', {
            detail: `Client ${request.id} has failed: create it again first`,
          });
        await requireClean(tx, request.id);
        const secret = await store(deps, tx, request);
        return {
          params: { clientId: request.id, serverId: client.serverId, password: secret },
          abandon: (later) => deps.secrets.erase(later, secret),
        };
      },
    },
  );
}

/** Stored first, then signalled: the reference must be readable when it arrives. Undefined: the create has ended. */
async function handToCreate(
  deps: RouteDeps,
  open: ListedOperation,
  request: SetPassword,
): Promise<Started | undefined> {
  const { caller } = request;
  const target = await openRun(deps, open.id).catch((error: unknown) => {
    if (error instanceof Problem && error.code === 'operation_ended') return undefined;
    throw error;
  });
  if (target === undefined) return undefined;
  const secret = await deps.db.transaction(async (tx) => {
    const stored = await store(deps, tx, request);
    // also what the mail with the password will hold
    await updateClient(tx, request.id, { adminPassword: stored, adminPasswordGiven: true });
    const { actor, address, requestId, route } = caller;
    await recordAudit(tx, {
      actor,
      address,
      requestId,
      route,
      subject: open.subject,
      operationId: open.id,
      outcome: 'sent',
    });
    return stored;
  });
  const { workflowId, runId } = target.run;
  const handle = deps.temporal.client.workflow.getHandle(workflowId, runId);
  try {
    await deps.temporal.within(SIGNAL_MS, () => handle.signal(ADMIN_PASSWORD_SIGNAL, { password: secret }));
  } catch (error) {
    // a lost answer may hide an arrived signal, so the secret stays until it expires
    if (await hasEnded(deps, open.id)) return undefined;
    throw error;
  }
  if (await endedUnheard(deps, open.id, { client: request.id, secret })) return undefined;
  return { status: 202, answerId: request.id, operation: target.row };
}

/** Whether the create ended without the password; only one that is past its commit can be so near its end. */
async function endedUnheard(
  { db, watches }: RouteDeps,
  operation: string,
  { client, secret }: { client: number; secret: string },
): Promise<boolean> {
  const waiting = watches.watch([operation]);
  try {
    for (const until = Date.now() + END_LOOK_MS; ; ) {
      const row = await findOperation(db, operation);
      const found = await findClient(db, client);
      if (found?.client.status !== 'active') return false;
      // mailed passwords are erased, so one that is still there was not told; to set it again does no harm
      if (row === undefined || isEnd(row.state)) return found.client.adminPassword === secret;
      if (Date.now() >= until) return false;
      await waiting.next(until - Date.now());
    }
  } finally {
    waiting.end();
  }
}

async function hasEnded(deps: RouteDeps, id: string): Promise<boolean> {
  return openRun(deps, id).then(
    () => false,
    (error: unknown) => error instanceof Problem && error.code === 'operation_ended',
  );
}

function store(
  { secrets }: RouteDeps,
  tx: Parameters<typeof lockClient>[0],
  { id, password }: SetPassword,
): Promise<string> {
  const place = { owner: `clients/${id}`, name: 'admin_password' };
  return secrets.store(tx, place, password, new Date(Date.now() + PASSWORD_LIFE_MS));
}
