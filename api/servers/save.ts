import { recordAudit } from '../../db/queries/audit.js';
import { countPlaces } from '../../db/queries/client-places.js';
import {
  countClients,
  findServer,
  findServerAt,
  insertServer,
  lockServer,
  type NewServer,
  type ServerRow,
  updateServer,
} from '../../db/queries/servers.js';
import { auditOf } from '../operations/caller.js';
import type { RouteDeps } from '../operations/deps.js';
import type { Caller } from '../operations/record-start.js';
import { type FieldError, Problem } from '../http/problem.js';
import { invalidInput } from '../http/router.js';
import { REQUIRED_TO_CREATE, type ServerFields, SQL_PORTS } from './schemas.js';
import { serverAnswer } from './answer.js';
import { checkUnknown } from './check.js';
import { noServer } from './read.js';

/** Creates a server, or with an id changes that one. */
export async function saveServer(
  deps: RouteDeps,
  caller: Caller,
  { id, ...fields }: ServerFields & { id?: number | undefined },
) {
  if (id === undefined)
    return { created: true, server: serverAnswer(await createServer(deps, caller, fields), 0) };
  const row = await changeServer(deps, caller, id, fields);
  const clients = (await countClients(deps.db, [id])).get(id) ?? 0;
  return { created: false, server: serverAnswer(row, clients) };
}

/** Records a server. Its host key is the given one, or the one that the host shows now, unconfirmed. */
async function createServer(deps: RouteDeps, caller: Caller, fields: ServerFields): Promise<ServerRow> {
  const { name, host, domain, sql_user: sqlUser, sql_password: password } = fields;
  if (!name || !host || !domain || !sqlUser || !password) {
    const missing = REQUIRED_TO_CREATE.filter((field) => fields[field] === undefined);
    throw invalidInput(missing.map((field) => ({ field, message: 'is required' })));
  }
  requireSane(deps, fields);
  const key = await hostKeyOf(deps, { ...fields, host });
  return deps.db.transaction(async (tx) => {
    const engine = fields.sql_engine ?? 'mariadb';
    const values: NewServer = {
      ...columnsOf(fields),
      ...key,
      name,
      host,
      domain,
      sqlUser,
      sqlHost: fields.sql_host ?? host,
      sqlPort: fields.sql_port ?? SQL_PORTS[engine],
      sqlPassword: '',
      product: fields.product ?? deps.settings.product,
    };
    const row = await insertServer(tx, values);
    if (row === undefined)
      throw new Problem('host_taken', { detail: `A server at ${host} with this SSH port exists` });
    const sqlPassword = await deps.secrets.store(
      tx,
      { owner: `servers/${row.id}`, name: 'sql_password' },
      password,
    );
    const saved = await updateServer(tx, row.id, { sqlPassword });
    const detail = { host_key: row.sshHostKey, host_key_confirmed: row.sshHostKeyConfirmed };
    await recordAudit(tx, auditOf(caller, { subject: `server:${row.id}`, outcome: 'created', detail }));
    return saved ?? row;
  });
}

/** Changes what is given and leaves the rest. 409 for what clients there depend on. */
async function changeServer(
  deps: RouteDeps,
  caller: Caller,
  id: number,
  fields: ServerFields,
): Promise<ServerRow> {
  const before = await findServer(deps.db, id);
  if (before === undefined) throw noServer(id);
  const moved = isMoved(before, fields);
  requireSane(deps, {
    ...fields,
    tls_cert: fields.tls_cert ?? before.tlsCert ?? undefined,
    tls_key: fields.tls_key ?? before.tlsKey ?? undefined,
  });
  // another machine has another key
  const key = moved
    ? await hostKeyOf(deps, {
        ...fields,
        host: fields.host ?? before.host,
        ssh_port: fields.ssh_port ?? before.sshPort,
      })
    : givenKey(fields);
  return deps.db.transaction(async (tx) => {
    const row = await lockServer(tx, id);
    if (row === undefined) throw noServer(id);
    await requireFree(tx, row, fields);
    const place = { host: fields.host ?? row.host, sshPort: fields.ssh_port ?? row.sshPort, except: id };
    if (moved && (await findServerAt(tx, place)) !== undefined) {
      throw new Problem('host_taken', { detail: `A server at ${place.host} with this SSH port exists` });
    }
    const changes: Partial<NewServer> = { ...followingDefaults(row, fields), ...columnsOf(fields), ...key };
    if (fields.sql_password !== undefined) {
      await deps.secrets.erase(tx, row.sqlPassword);
      const owner = { owner: `servers/${id}`, name: 'sql_password' };
      changes.sqlPassword = await deps.secrets.store(tx, owner, fields.sql_password);
    }
    const saved = await updateServer(tx, id, changes);
    const detail = {
      fields: Object.keys(changes),
      ...(key.sshHostKey === undefined ? {} : { host_key: key.sshHostKey }),
    };
    await recordAudit(tx, auditOf(caller, { subject: `server:${id}`, outcome: 'changed', detail }));
    return saved ?? row;
  });
}

/** What was derived from a field that changes is derived anew, unless it was said otherwise. */
function followingDefaults(row: ServerRow, { host, sql_engine: engine }: ServerFields): Partial<NewServer> {
  return {
    ...(host !== undefined && row.sqlHost === row.host ? { sqlHost: host } : {}),
    ...(engine !== undefined && row.sqlPort === SQL_PORTS[row.sqlEngine]
      ? { sqlPort: SQL_PORTS[engine] }
      : {}),
  };
}

type HostKey = Pick<NewServer, 'sshHostKey' | 'sshHostKeyConfirmed'>;

function givenKey({ ssh_host_key: key }: ServerFields): HostKey {
  return key === undefined ? {} : { sshHostKey: key, sshHostKeyConfirmed: true };
}

async function hostKeyOf(deps: RouteDeps, fields: ServerFields & { host: string }): Promise<HostKey> {
  if (fields.ssh_host_key !== undefined) return givenKey(fields);
  const field = 'ssh_host_key';
  if (!deps.settings.sshTofu)
    throw invalidInput([{ field, message: 'is required: keys are not pinned as seen here' }]);
  const { baseDir, vhostDir, clientPool, sqlHost } = columnsOf(fields);
  const known = Object.entries({ baseDir, vhostDir, clientPool, sqlHost }).filter(
    ([, value]) => value !== undefined,
  );
  const report = await checkUnknown(deps, fields.host, { ...fields, ...Object.fromEntries(known) });
  if (report.hostKey !== null) return { sshHostKey: report.hostKey, sshHostKeyConfirmed: false };
  throw invalidInput([
    { field, message: 'the host did not show its key: make it reachable, or give the key' },
  ]);
}

function isMoved(row: ServerRow, { host, ssh_port: port }: ServerFields): boolean {
  return (host !== undefined && host !== row.host) || (port !== undefined && port !== row.sshPort);
}

function requireSane({ settings }: RouteDeps, { product, tls_cert: cert, tls_key: key }: ServerFields): void {
  const errors: FieldError[] = [];
  if (product !== undefined && !settings.products.includes(product)) {
    errors.push({ field: 'product', message: `must be one of ${settings.products.join(', ')}` });
  }
  if ((cert === undefined) !== (key === undefined)) {
    errors.push({
      field: cert === undefined ? 'tls_cert' : 'tls_key',
      message: 'certificate and key go together',
    });
  }
  if (errors.length > 0) throw invalidInput(errors);
}

/** `docs/contract/servers.md`, Servers: what clients there are built on does not change under them. */
async function requireFree(
  tx: Parameters<typeof countClients>[0],
  row: ServerRow,
  fields: ServerFields,
): Promise<void> {
  const changed = [
    fields.domain !== undefined && fields.domain !== row.domain ? 'domain' : '',
    fields.base_dir !== undefined && fields.base_dir !== row.baseDir ? 'base_dir' : '',
    fields.sql_engine !== undefined && fields.sql_engine !== row.sqlEngine ? 'sql_engine' : '',
  ].filter((field) => field !== '');
  if (changed.length === 0) return;
  const living = (await countClients(tx, [row.id])).get(row.id) ?? 0;
  // what moves have there is built on it too
  const clients = living + ((await countPlaces(tx, [row.id])).get(row.id) ?? 0);
  if (clients === 0) return;
  throw new Problem('in_use', {
    detail: `${clients} client(s) live on server ${row.id}: ${changed.join(', ')} cannot change`,
  });
}

/** Given fields in the table's words; absent ones are absent. */
function columnsOf(fields: ServerFields): Partial<NewServer> {
  const columns: Partial<Record<keyof NewServer, unknown>> = {
    name: fields.name,
    host: fields.host,
    domain: fields.domain,
    sqlUser: fields.sql_user,
    active: fields.active,
    sshPort: fields.ssh_port,
    sshUser: fields.ssh_user,
    sqlEngine: fields.sql_engine,
    sqlPort: fields.sql_port,
    sqlHost: fields.sql_host,
    baseDir: fields.base_dir,
    vhostDir: fields.vhost_dir,
    clientPool: fields.client_pool,
    portFrom: fields.port_range?.from,
    portTo: fields.port_range?.to,
    stage: fields.stage,
    publisher: fields.publisher,
    product: fields.product,
    rehearse: fields.rehearse,
    tls: fields.tls,
    tlsCert: fields.tls_cert,
    tlsKey: fields.tls_key,
  };
  return Object.fromEntries(
    Object.entries(columns).filter(([, value]) => value !== undefined),
  ) as Partial<NewServer>;
}
