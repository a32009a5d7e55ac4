import { z } from '@hono/zod-openapi';
import { startedAnswer, startOf } from '../operations/caller.js';
import type { RouteDeps } from '../operations/deps.js';
import { started, StartedOrPlan, starting, STARTS } from '../operations/start-schemas.js';
import { json } from '../http/answers.js';
import { endpoint } from '../http/endpoint.js';
import { flag, optional } from '../http/fields.js';
import { IdParams, StartHeaders, StartQuery } from '../http/pages.js';
import type { Router } from '../http/router.js';
import { setAdminPassword } from './admin-password.js';
import { type Changed, changeClient } from './change.js';
import { deleteClient } from './delete.js';
import { saveClient } from './save.js';
import { ClientInput, ClientSchema, ClientUpdate, PasswordInput } from './schemas.js';

const tag = 'Clients';

const DeleteQuery = StartQuery.extend({
  keep_backup: optional(flag()).openapi({
    description: '`false`: no dump and no archive is kept',
    example: true,
  }),
});

const SAVE = endpoint({
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
});

const UPDATE = endpoint({
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
});

const DELETE = endpoint({
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
});

const ADMIN_PASSWORD = endpoint({
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
});

export function addClientChangeRoutes(router: Router, deps: RouteDeps): void {
  router.add(SAVE, async (c, { query, body: { id, restore_from: restoreFrom, ...fields } }) => {
    const start = startOf(c, query, { id, restoreFrom, ...fields, query });
    return changedAnswer(await saveClient(deps, { id, restoreFrom, fields, ...start }));
  });
  router.add(UPDATE, async (c, { params: { id }, query, body: fields }) =>
    changedAnswer(await changeClient(deps, { id, fields, ...startOf(c, query, { ...fields, query }) })),
  );
  router.add(DELETE, async (c, { params: { id }, query }) => {
    const keepBackup = query.keep_backup ?? true;
    return startedAnswer(await deleteClient(deps, { id, keepBackup, ...startOf(c, query) }));
  });
  router.add(ADMIN_PASSWORD, async (c, { params: { id }, query, body }) => {
    const start = startOf(c, query, { ...body, query });
    return startedAnswer(await setAdminPassword(deps, { id, password: body.password, ...start }));
  });
}

function changedAnswer(result: Changed) {
  return 'stored' in result ? { status: 200 as const, body: result.stored } : startedAnswer(result);
}
