import { z } from '@hono/zod-openapi';
import { listKeptOn } from '../../db/queries/client-places.js';
import { findClient, lockClient } from '../../db/queries/clients.js';
import { findOperation } from '../../db/queries/operation-reads.js';
import type { DeleteClientParams } from '../../workflows/contract/clients/clients.js';
import { subjectId } from '../../workflows/contract/operation/ids.js';
import { isEnd } from '../../workflows/contract/operation/operation.js';
import { answerStarted, auditOf, callerOf, startOptions } from '../operations/caller.js';
import { setAdminPassword } from './admin-password.js';
import { changeClient } from './change.js';
import { createClient } from './create.js';
import { noClient, readClient } from './read.js';
import type { RouteDeps } from '../operations/deps.js';
import type { Ctx } from '../http/environment.js';
import { flag, optional } from '../http/fields.js';
import { startOperation } from '../operations/start.js';
import { invalidInput, json, type Router } from '../http/router.js';
import { ClientInput, ClientSchema, ClientUpdate, PasswordInput } from './schemas.js';
import { IdParams, StartHeaders, StartQuery } from '../http/pages.js';
import { started, StartedOrPlan, starting, STARTS } from '../operations/start-schemas.js';

const tag = 'Clients';

const DeleteQuery = StartQuery.extend({
  keep_backup: optional(flag()).openapi({
    description: '`false`: no dump and no archive is kept',
    example: true,
  }),
});

export function addClientChangeRoutes(router: Router, deps: RouteDeps): void {
  const answerChange = async (c: Ctx, change: Omit<Parameters<typeof changeClient>[1], 'audit'>) => {
    const audit = auditOf(c, { subject: subjectId('client', change.id), outcome: 'changed' });
    const result = await changeClient(deps, { ...change, audit });
    return result === 'stored' ? c.json(await readClient(deps, change.id)) : answerStarted(c, result);
  };

  router.add(
    {
      method: 'post',
      path: '/clients',
      tag,
      summary: 'Create or update a client',
      description:
        'Validates, stores and answers at once; then poll `createlog`. With the `id` of a failed client it is created again, with another `id` the client is updated as with PUT. An equal body on a taken subdomain answers with its operation.',
      query: StartQuery,
      headers: StartHeaders,
      body: ClientInput,
      scope: 'operate',
      changes: true,
      responses: {
        200: json(
          'The operation that an equal request has started; with `plan`, what would be done; or the updated client',
          z.union([StartedOrPlan, ClientSchema]),
        ),
        202: started[202],
      },
      problems: ['subdomain_taken', 'not_found', 'wrong_status', 'needs_cleanup', ...STARTS],
    },
    async (c, { query, body: { id, restore_from: restoreFrom, ...fields } }) => {
      const caller = callerOf(c, { id, restoreFrom, ...fields, query });
      const options = startOptions(query);
      if (id === undefined)
        return answerStarted(c, await createClient(deps, { fields, caller, options, restoreFrom }));
      if (await isCreatedAgain(deps, id, caller)) {
        return answerStarted(
          c,
          await createClient(deps, { fields, caller, options, restoreFrom, failedId: id }),
        );
      }
      if (restoreFrom !== undefined)
        throw invalidInput([{ field: 'restore_from', message: `client ${id} is there already` }]);
      return answerChange(c, { id, fields, caller, options });
    },
  );

  router.add(
    {
      method: 'put',
      path: '/clients/{id}',
      tag,
      summary: 'Update a client',
      description:
        "What also lives in the client's database, `.env`, nginx or settings is carried there by an operation (202); short name, phone, city, billing type and kind are stored at once (200). A field that has the client's own value is no change, an empty one stays as it is. The server is changed by `move_to`, the version by `switch`, the password by `admin_password`.",
      params: IdParams,
      query: StartQuery,
      headers: StartHeaders,
      body: ClientUpdate,
      scope: 'operate',
      changes: true,
      responses: {
        200: json(
          'The updated client; the operation that an equal request has started; or with `plan`, what would be done',
          z.union([StartedOrPlan, ClientSchema]),
        ),
        202: started[202],
      },
      problems: ['subdomain_taken', 'wrong_status', ...STARTS],
    },
    async (c, { params: { id }, query, body }) =>
      answerChange(c, {
        id,
        fields: body,
        caller: callerOf(c, { ...body, query }),
        options: startOptions(query),
      }),
  );

  router.add(
    {
      ...starting,
      method: 'delete',
      path: '/clients/{id}',
      tag,
      summary: 'Delete a client',
      description:
        'Removes vhost, containers, files, database and user. A dump and the files are kept for some time, unless `keep_backup=false`.',
      params: IdParams,
      query: DeleteQuery,
      problems: [...STARTS],
    },
    async (c, { params: { id }, query }) => {
      const keepBackup = query.keep_backup ?? true;
      const result = await startOperation<DeleteClientParams>(
        { ...deps },
        {
          kind: 'delete_client',
          caller: callerOf(c, query),
          options: startOptions(query),
          async prepare(tx) {
            const client = await lockClient(tx, id);
            if (client === undefined) throw noClient(id);
            const keptOn = await listKeptOn(tx, id);
            return {
              subject: subjectId('client', id),
              answerId: id,
              params: {
                clientId: id,
                serverId: client.serverId,
                keepBackup,
                keepDays: deps.settings.backupKeepDays,
                ...(keptOn.length === 0 ? {} : { keptOn }),
              },
              title: `Delete client ${id} (${client.subdomain})`,
              clientId: id,
              serverId: client.serverId,
            };
          },
        },
      );
      return answerStarted(c, result);
    },
  );

  router.add(
    {
      ...starting,
      method: 'post',
      path: '/clients/{id}/admin_password',
      tag,
      summary: "Set the administrator's password",
      description: 'Handed to the create when it still runs, else an operation of its own.',
      params: IdParams,
      query: StartQuery,
      body: PasswordInput,
      problems: ['wrong_status', 'needs_cleanup', 'operation_ended', ...STARTS],
    },
    async (c, { params: { id }, query, body }) => {
      const { password } = body;
      const caller = callerOf(c, { ...body, query });
      return answerStarted(
        c,
        await setAdminPassword(deps, { id, password, caller, options: startOptions(query) }),
      );
    },
  );
}

/** Failed, or on its way again by the very same request. */
async function isCreatedAgain(
  deps: RouteDeps,
  id: number,
  caller: Parameters<RouteDeps['digest']>[0],
): Promise<boolean> {
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
