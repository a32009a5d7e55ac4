import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Keeps the line for `authorized_keys` where the API reads it. */
export async function ensurePublicKeyFile(file: string, line: string): Promise<void> {
  const present = await readFile(file, 'utf8').catch(() => null);
  if (present?.trim() === line) return;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const beside = `${file}.${process.pid}.new`;
  await writeFile(beside, `${line}\n`, { mode: 0o644 });
  await rename(beside, file);
}
