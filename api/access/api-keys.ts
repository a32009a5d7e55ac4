import { type ApiKeyRow, deleteApiKey, insertApiKey, listApiKeys } from '../../db/queries/api-keys.js';
import { recordAudit } from '../../db/queries/audit.js';
import { makeApiKey } from '../http/auth/api-keys.js';
import { parseMoment } from '../http/dates.js';
import { Problem } from '../http/problem.js';
import { invalidInput } from '../http/router.js';
import { auditOf } from '../operations/caller.js';
import type { RouteDeps } from '../operations/deps.js';
import type { Caller } from '../operations/record-start.js';

export async function listKeys({ db }: RouteDeps) {
  return (await listApiKeys(db)).map(answerOf);
}

interface NewKey extends Pick<ApiKeyRow, 'name' | 'scope'> {
  /** UTC without an offset; absent: never refused */
  expires: string | undefined;
}

/** The key itself is in what this returns, and nowhere else. */
export async function makeKey({ db }: RouteDeps, caller: Caller, { name, scope, expires }: NewKey) {
  const expiresAt = readExpiry(expires);
  const { id, digest, key } = makeApiKey();
  const row = await db.transaction(async (tx) => {
    const made = await insertApiKey(tx, { id, name, scope, digest, expiresAt, createdBy: caller.actor });
    if (made === undefined)
      throw new Problem('name_taken', { detail: `There is a key named "${name}" already` });
    const detail = { name, scope };
    await recordAudit(tx, auditOf(caller, { subject: `key:${id}`, outcome: 'created', detail }));
    return made;
  });
  return { ...answerOf(row), key };
}

export async function revokeKey({ db }: RouteDeps, caller: Caller, id: string): Promise<void> {
  await db.transaction(async (tx) => {
    const row = await deleteApiKey(tx, id);
    if (row === undefined) throw new Problem('not_found', { detail: `There is no key ${id}` });
    const detail = { name: row.name, scope: row.scope };
    await recordAudit(tx, auditOf(caller, { subject: `key:${id}`, outcome: 'revoked', detail }));
  });
}

function readExpiry(value: string | undefined): Date | null {
  if (value === undefined) return null;
  const moment = parseMoment(value, 'UTC');
  if (moment !== null && moment.getTime() > Date.now()) return moment;
  throw invalidInput([{ field: 'expires_at', message: 'must be a date in the future' }]);
}

function answerOf({ id, name, scope, createdBy, createdAt, expiresAt, lastUsedAt }: ApiKeyRow) {
  return {
    id,
    name,
    scope,
    created_by: createdBy,
    created_at: createdAt.toISOString(),
    expires_at: expiresAt?.toISOString() ?? null,
    last_used_at: lastUsedAt?.toISOString() ?? null,
  };
}
