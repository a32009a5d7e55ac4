import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflows } from '../worker/bundle.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * The bundle of the workflows as an earlier start made it of the same files, else made now and kept in `dir`: it is two
 * of the six seconds of a start. Workflow code imports nothing but itself and Temporal's packages, whose versions are in
 * the lock file, so these are all that it is made of.
 */
export async function keptBundle(dir: string, root = ROOT): Promise<{ code: string }> {
  const name = `${await digest(root)}.js`;
  const kept = await readFile(join(dir, name), 'utf8').catch(() => null);
  if (kept !== null) return { code: kept };
  const { code } = await bundleWorkflows(join(root, 'workflows/index.ts'));
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, `${name}.new`), code);
  await rename(join(dir, `${name}.new`), join(dir, name));
  return { code };
}

async function digest(root: string): Promise<string> {
  const entries = await readdir(join(root, 'workflows'), { recursive: true });
  const files = entries.filter((name) => name.endsWith('.ts')).map((name) => join('workflows', name));
  const hash = createHash('sha256');
  for (const file of ['package-lock.json', ...files.sort()]) {
    hash
      .update(`${file}\0`)
      .update(await readFile(join(root, file)))
      .update('\0');
  }
  return hash.digest('hex').slice(0, 32);
}
