import {
  type ClientRow,
  deleteClientRow,
  failAbandonedCreates,
  findSubdomainHolder,
  insertClient,
  lockClient,
  type NewClient,
  updateClient,
} from '../../db/queries/clients.js';
import { findOperation } from '../../db/queries/operation-reads.js';
import { findLeaver } from '../../db/queries/operation-starts.js';
import type { ServerRow } from '../../db/queries/servers.js';
import type { Tx } from '../../db/database.js';
import type { CreateClientParams } from '../../workflows/contract/clients/clients.js';
import { subjectId } from '../../workflows/contract/operation/ids.js';
import type { StartedBy } from '../operations/caller.js';
import type { RouteDeps } from '../operations/deps.js';
import { Problem } from '../http/problem.js';
import type { ClientFields } from './schemas.js';
import { requireBackup, requirePlace, rowOf } from './new-client.js';
import { refOf } from '../operations/refusals.js';
import { type Existing, type Prepared } from '../operations/record-start.js';
import type { Planned } from '../operations/plan.js';
import { type Started, startOperation } from '../operations/start.js';

/**
 * `docs/contract/clients.md`, Creating a client: the first password is kept until the mail with it is accepted,
 * at most so long.
 */
const PASSWORD_LIFE_MS = 7 * 86_400_000;

interface CreateRequest extends StartedBy {
  fields: ClientFields;
  /** id of a backup that it starts with */
  restoreFrom?: number | undefined;
  /** a failed client to be created again; absent: a new one */
  failedId?: number;
}

/** Stores the client and starts its create operation. 409 for a taken subdomain, unless by an equal request. */
export async function createClient(
  deps: RouteDeps,
  { fields, caller, options, restoreFrom, failedId }: CreateRequest,
): Promise<Started | Planned> {
  const values = rowOf(fields);
  return startOperation<CreateClientParams>(
    { ...deps },
    {
      kind: 'create_client',
      caller,
      options,
      async prepare(tx, operation) {
        const server = await requirePlace(tx, values);
        const backup =
          restoreFrom === undefined ? undefined : await requireBackup(tx, restoreFrom, { server, values });
        await failAbandonedCreates(tx, { subdomain: values.subdomain });
        const prepared =
          failedId === undefined
            ? await insertNew(tx, deps, {
                values: { ...values, operationId: operation.id },
                digest: operation.digest,
              })
            : await reviveFailed(tx, failedId, {
                values: { ...values, operationId: operation.id },
                digest: operation.digest,
              });
        if ('existing' in prepared) return prepared;
        const { client, abandon } = prepared;
        await storePassword(tx, deps, client.id, fields.password);
        return { ...preparedFor({ client, server, fields, backup }), abandon };
      },
    },
  );
}

type Made = {
  client: Pick<ClientRow, 'id' | 'subdomain' | 'versionTag'>;
  abandon: (tx: Tx) => Promise<void>;
};

interface PreparedFor {
  client: Made['client'];
  server: ServerRow;
  fields: ClientFields;
  /** directory of the backup that it starts with */
  backup: string | undefined;
}

function preparedFor({
  client,
  server,
  fields: { password },
  backup,
}: PreparedFor): Omit<Prepared<CreateClientParams>, 'abandon'> {
  const { subdomain, versionTag } = client;
  const params = {
    clientId: client.id,
    serverId: server.id,
    ...(backup === undefined ? {} : { restoreFrom: backup }),
  };
  return {
    params,
    planParams: { ...params, planned: { subdomain, versionTag, adminPasswordGiven: password !== undefined } },
    named: `${client.subdomain}.${server.domain}`,
  };
}

async function insertNew(
  tx: Tx,
  { secrets }: RouteDeps,
  { values, digest }: { values: NewClient; digest: string },
): Promise<Made | Existing> {
  const client = await insertClient(tx, values);
  if (client === undefined) return explainTaken(tx, values.subdomain, digest);
  const abandon = async (later: Tx) => {
    await secrets.eraseAllOf(later, `clients/${client.id}`);
    await deleteClientRow(later, client.id);
  };
  return { client, abandon };
}

/** An equal body on a taken subdomain is the same wish again. */
async function explainTaken(tx: Tx, subdomain: string, digest: string): Promise<Existing> {
  const holder = await findSubdomainHolder(tx, subdomain);
  const operation = holder?.operationId ? await findOperation(tx, holder.operationId) : undefined;
  if (holder !== undefined && operation?.requestDigest === digest)
    return { existing: operation.id, answerId: holder.id };
  throw new Problem('subdomain_taken', {
    detail: `The subdomain ${subdomain} is taken${holder === undefined ? '' : ` by client ${holder.id}`}`,
    ...(operation === undefined ? {} : { members: { operation: refOf(operation) } }),
  });
}

async function reviveFailed(
  tx: Tx,
  id: number,
  { values, digest }: { values: NewClient; digest: string },
): Promise<Made | Existing> {
  await failAbandonedCreates(tx, { id });
  const before = await lockClient(tx, id);
  if (before === undefined) throw new Problem('not_found', { detail: `There is no client ${id}` });
  if (before.status !== 'failed') return explainAlive(tx, before, digest);
  await requireClean(tx, id);
  const holder = await findSubdomainHolder(tx, values.subdomain);
  if (holder !== undefined) {
    throw new Problem('subdomain_taken', {
      detail: `The subdomain ${values.subdomain} is taken by client ${holder.id}`,
    });
  }
  await updateClient(tx, id, values);
  const { id: _, ...restored } = before;
  return { client: { ...before, ...values, id }, abandon: (later) => updateClient(later, id, restored) };
}

/** The very same request has brought it back to life already; any other came too late. */
async function explainAlive(tx: Tx, client: ClientRow, digest: string): Promise<Existing> {
  const operation = client.operationId === null ? undefined : await findOperation(tx, client.operationId);
  if (operation?.requestDigest === digest) return { existing: operation.id, answerId: client.id };
  throw new Problem('wrong_status', { detail: `Client ${client.id} is ${client.status}, not failed` });
}

/** What an ended operation left behind would be in the way of the next one. */
export async function requireClean(tx: Tx, clientId: number): Promise<void> {
  const leaver = await findLeaver(tx, subjectId('client', clientId));
  if (leaver === undefined) return;
  throw new Problem('needs_cleanup', {
    detail: `Operation ${leaver.id} left things of client ${clientId} behind: see its leftovers, then delete the client`,
  });
}

async function storePassword(tx: Tx, { secrets }: RouteDeps, clientId: number, password: string | undefined) {
  if (password === undefined) return;
  const expiresAt = new Date(Date.now() + PASSWORD_LIFE_MS);
  const owner = { owner: `clients/${clientId}`, name: 'admin_password' };
  const adminPassword = await secrets.store(tx, owner, password, expiresAt);
  await updateClient(tx, clientId, { adminPassword, adminPasswordGiven: true });
}
