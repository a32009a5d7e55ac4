import { eq, sql } from 'drizzle-orm';
import { builtOnce, type Queries, type Tx } from '../database.js';
import { admins } from '../schema/index.js';

const adminByLogin = builtOnce((db) =>
  db
    .select()
    .from(admins)
    .where(eq(admins.login, sql.placeholder('login')))
    .prepare('admin'),
);

export async function findAdmin(db: Queries, login: string) {
  const [row] = await adminByLogin(db).execute({ login });
  return row;
}

/** True when it was made; false when an administrator exists already. One process of several wins. */
export async function insertAdminIfNone(
  tx: Tx,
  admin: { login: string; passwordHash: string },
): Promise<boolean> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtext('slipway:first-admin'))`);
  const existing = await tx.select({ login: admins.login }).from(admins).limit(1);
  if (existing.length > 0) return false;
  await tx.insert(admins).values(admin);
  return true;
}

export async function setAdminPassword(
  db: Queries,
  admin: { login: string; passwordHash: string },
): Promise<void> {
  const changed = { passwordHash: admin.passwordHash, changedAt: new Date() };
  await db.insert(admins).values(admin).onConflictDoUpdate({ target: admins.login, set: changed });
}
