import type { z } from '@hono/zod-openapi';
import { findServerByHost } from '../../db/queries/servers.js';
import type { CheckHostReport, ProbeTarget } from '../../workflows/contract/servers/probes.js';
import type { RouteDeps } from '../operations/deps.js';
import { type CheckHostInput, SQL_PORTS } from './schemas.js';

type Fields = z.output<typeof CheckHostInput>;

/** A probe lives 8 s; a secret that outlives its request was left by a crash. */
const SECRET_LIFE_MS = 60_000;

/** Asks a host whether it is ready; what is stored of a known one comes before what is given. */
export async function checkHost(deps: RouteDeps, host: string, fields: Fields) {
  const server = await findServerByHost(deps.db, host);
  const report =
    server === undefined
      ? await checkUnknown(deps, host, fields)
      : await deps.probes.ask({ kind: 'check_host', serverId: server.id });
  return {
    host,
    server_id: server?.id ?? null,
    ready: report.reachable && report.lines.every((line) => line.level !== 'error'),
    reachable: report.reachable,
    ssh_host_key: report.hostKey,
    read_at: report.readAt,
    lines: report.lines,
  };
}

export type UnknownHost = Fields &
  Partial<Pick<ProbeTarget, 'baseDir' | 'vhostDir' | 'clientPool' | 'sqlHost'>>;

/** A host that is not stored (yet); its SQL password is a stored secret for as long as the probe lives. */
export async function checkUnknown(
  { db, secrets, probes, digest }: RouteDeps,
  host: string,
  fields: UnknownHost,
): Promise<CheckHostReport> {
  const { sql_password: password } = fields;
  const place = { owner: `probes/${host}`, name: 'sql_password' };
  const expiresAt = new Date(Date.now() + SECRET_LIFE_MS);
  const secret = password === undefined ? null : await secrets.store(db, place, password, expiresAt);
  try {
    const distinct = digest({ route: 'check_host', actor: '', body: password });
    return await probes.ask({ kind: 'check_host', target: targetOf(host, fields, secret) }, distinct);
  } finally {
    if (secret !== null) await secrets.erase(db, secret);
  }
}

function targetOf(host: string, fields: UnknownHost, sqlPassword: string | null): ProbeTarget {
  const sqlEngine = fields.sql_engine ?? 'mariadb';
  return {
    host,
    sshPort: fields.ssh_port ?? 22,
    sshUser: fields.ssh_user ?? 'www-data',
    sshHostKey: null,
    sqlEngine,
    sqlHost: fields.sqlHost ?? host,
    sqlPort: fields.sql_port ?? SQL_PORTS[sqlEngine],
    sqlUser: fields.sql_user ?? null,
    sqlPassword,
    domain: fields.domain ?? null,
    baseDir: fields.baseDir ?? '/srv',
    vhostDir: fields.vhostDir ?? '/etc/nginx/conf.d',
    clientPool: fields.clientPool ?? '10.213.0.0/16',
  };
}
