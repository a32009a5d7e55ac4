import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Db } from '../../../db/database.js';
import { insertAdminIfNone, setAdminPassword } from '../../../db/queries/admins.js';
import { recordAudit } from '../../../db/queries/audit.js';
import { generatePassword, hashPassword } from './password.js';

interface FirstAdmin {
  db: Db;
  login: string;
  /** null: one is generated into a file that only its owner may read */
  password: string | null;
  dataDir: string;
}

/** Makes the one administrator when there is none. Answers the file with the generated password, if one was made. */
export async function ensureFirstAdmin({ db, login, password, dataDir }: FirstAdmin): Promise<string | null> {
  const chosen = password ?? generatePassword();
  const passwordHash = await hashPassword(chosen);
  return db.transaction(async (tx) => {
    if (!(await insertAdminIfNone(tx, { login, passwordHash }))) return null;
    await recordAudit(tx, machineAudit('first start', login));
    // before the commit: a password that nobody can read is worse than a file without an administrator
    return password === null ? writePasswordFile({ dataDir, login, password: chosen }) : null;
  });
}

/** Gives the administrator a new generated password (and makes the login when absent). Answers the file with it. */
export async function resetAdmin({ db, login, dataDir }: Omit<FirstAdmin, 'password'>): Promise<string> {
  const password = generatePassword();
  const passwordHash = await hashPassword(password);
  return db.transaction(async (tx) => {
    await setAdminPassword(tx, { login, passwordHash });
    await recordAudit(tx, machineAudit('npm run admin:reset', login));
    return writePasswordFile({ dataDir, login, password });
  });
}

function machineAudit(route: string, login: string) {
  const requestId = '-';
  return { actor: 'machine', address: 'local', requestId, route, subject: `admin:${login}`, outcome: 'done' };
}

async function writePasswordFile({
  dataDir,
  login,
  password,
}: {
  dataDir: string;
  login: string;
  password: string;
}) {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const file = resolve(join(dataDir, 'admin-password'));
  // never into a file that is there already: its mode could be wider
  await rm(file, { force: true });
  await writeFile(file, `${login}:${password}\n`, { mode: 0o600, flag: 'wx' });
  return file;
}
