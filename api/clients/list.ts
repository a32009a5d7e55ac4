import { listBackups, listClients } from '../../db/queries/clients.js';
import { findOpenOperations } from '../../db/queries/operation-reads.js';
import { subjectId } from '../../workflows/contract/operation/ids.js';
import { parseMoment } from '../http/dates.js';
import { invalidInput } from '../http/router.js';
import type { RouteDeps } from '../operations/deps.js';
import { clientAnswer } from './answer.js';

type Find<List extends (...given: never[]) => unknown> = Parameters<List>[1];

interface ClientSearch extends Omit<Find<typeof listClients>, 'serverId' | 'expiresBefore'> {
  server_id?: number | undefined;
  /** UTC without an offset */
  expires_before?: string | undefined;
}

/** Each with the operation that runs on it. */
export async function listClientPage(
  { db }: RouteDeps,
  { server_id: serverId, expires_before: written, ...search }: ClientSearch,
) {
  const expiresBefore = written === undefined ? undefined : parseMoment(written, 'UTC');
  if (expiresBefore === null) throw invalidInput([{ field: 'expires_before', message: 'must be a date' }]);
  const { rows, total } = await listClients(db, { ...search, serverId, expiresBefore });
  const open = await findOpenOperations(
    db,
    rows.map(({ client }) => subjectId('client', client.id)),
  );
  return {
    total,
    data: rows.map((row) => clientAnswer(row, open.get(subjectId('client', row.client.id)))),
  };
}

/** Archived and pre-change backups, newest first. */
export async function listBackupPage({ db }: RouteDeps, search: Find<typeof listBackups>) {
  const { rows, total } = await listBackups(db, search);
  const data = rows.map((row) => ({
    id: row.id,
    client_id: row.clientId,
    server_id: row.serverId,
    kind: row.kind,
    operation_id: row.operationId,
    path: row.path,
    size_bytes: row.sizeBytes,
    version_tag: row.versionTag,
    created_at: row.createdAt.toISOString(),
    expires_at: row.expiresAt.toISOString(),
    removed_at: row.removedAt?.toISOString() ?? null,
  }));
  return { total, data };
}
