import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { labDir } from './config.js';
import type { Log } from '../process/log.js';
import { diesWithParent } from '../process/dies-with-parent.js';
import { hostsDir, recordOwner, removeHostFiles } from './host-files.js';
import { withLock } from '../process/lock.js';
import { installedVersions } from './packages.js';
import { run } from '../process/run.js';

export type SqlEngine = 'mariadb' | 'postgres';

export interface Template {
  /** upper layer and docker data to copy */
  dir: string;
  sqlPassword: string;
}

const guestDir = fileURLToPath(new URL('./guest', import.meta.url));
const buildScript = fileURLToPath(new URL('./machine/build-template.sh', import.meta.url));

/** The template of this engine, made once per machine and again when its recipe or its packages change. */
export async function ensureTemplate(sql: SqlEngine, log: Log): Promise<Template> {
  const templates = join(labDir, 'templates');
  const name = `${sql}-${await recipeHash()}`;
  const dir = join(templates, name);
  await withLock(join(labDir, `template-${sql}.lock`), async () => {
    if (existsSync(dir)) return;
    log(`making the template of lab hosts with ${sql}, once per machine`);
    const began = performance.now();
    await build(sql, dir);
    const others = (await readdir(templates)).filter(
      (other) => other.startsWith(`${sql}-`) && other !== name,
    );
    for (const other of others) await rm(join(templates, other), { recursive: true, force: true });
    log(`  made in ${((performance.now() - began) / 1000).toFixed(1)} s`);
  });
  return { dir, sqlPassword: (await readFile(join(dir, 'sql-password'), 'utf8')).trim() };
}

async function build(sql: SqlEngine, target: string): Promise<void> {
  const dir = join(hostsDir, `template-${sql}`);
  await removeHostFiles(dir);
  await mkdir(dir, { recursive: true });
  await recordOwner(dir);
  const sqlPassword = randomBytes(12).toString('hex');
  try {
    const [program = 'bash', ...args] = diesWithParent('KILL', [
      'bash',
      buildScript,
      dir,
      sql,
      sqlPassword,
      guestDir,
      process.execPath,
    ]);
    await run(program, args);
    const beside = `${target}.new`;
    await rm(beside, { recursive: true, force: true });
    await mkdir(beside, { recursive: true });
    await rename(join(dir, 'upper'), join(beside, 'upper'));
    await rename(join(dir, 'docker'), join(beside, 'docker'));
    await writeFile(join(beside, 'sql-password'), `${sqlPassword}\n`, { mode: 0o600 });
    await rename(beside, target);
  } finally {
    await removeHostFiles(dir);
  }
}

async function recipeHash(): Promise<string> {
  const hash = createHash('sha256')
    .update(await installedVersions())
    .update(process.version);
  for (const file of (await readdir(guestDir)).sort()) hash.update(await readFile(join(guestDir, file)));
  hash.update(await readFile(buildScript));
  return hash.digest('hex').slice(0, 12);
}
