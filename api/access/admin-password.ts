import { setAdminPassword } from '../../db/queries/admins.js';
import { recordAudit } from '../../db/queries/audit.js';
import { hashPassword } from '../http/auth/password.js';
import { auditOf } from '../operations/caller.js';
import type { RouteDeps } from '../operations/deps.js';
import type { Caller } from '../operations/record-start.js';

/** Of the administrator who calls. */
export async function changeOwnPassword({ db }: RouteDeps, caller: Caller, password: string): Promise<void> {
  const login = caller.actor.replace(/^admin:/, '');
  const passwordHash = await hashPassword(password);
  await db.transaction(async (tx) => {
    await setAdminPassword(tx, { login, passwordHash });
    await recordAudit(tx, auditOf(caller, { subject: `admin:${login}`, outcome: 'changed' }));
  });
}
