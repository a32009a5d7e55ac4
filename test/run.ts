import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { toolsDir } from '../lab/config.js';
import { startLabHost } from '../lab/host.js';
import { startPostgres } from '../lab/postgres.js';
import { deliverProduct } from '../lab/product/deliver.js';
import { buildSampleImage } from '../lab/product/image.js';
import { run } from '../lab/run.js';
import { startTemporal } from '../lab/temporal.js';
import { ensureTools, labAvailability } from '../lab/tools.js';
import { bundleWorkflows } from '../worker/bundle.js';
import { SEARCH_ATTRIBUTES } from '../workflows/contract/search-attributes.js';

const ROOT = new URL('..', import.meta.url).pathname;
/** Every file that needs lab hosts is named so. */
const LAB_FILE = /\.lab\.test\.ts$/;
/** Of a whole file: the longest takes five minutes alone on two cores, and a busy machine three times that. */
const TEST_TIMEOUT_MS = 25 * 60_000;
/** Versions of the sample product that tests switch between. */
const VERSIONS = ['1.3-master', '1.4-master'];

const log = (line: string): void => console.log(`# ${line}`);
const closers: (() => Promise<unknown>)[] = [];

async function main(args: string[]): Promise<number> {
  const fast = args.includes('--fast');
  const wanted = args.filter((arg) => !arg.startsWith('--'));
  const files = (await testFiles())
    .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
    .filter((file) => !fast || !LAB_FILE.test(file));
  const dir = await mkdtemp(join(tmpdir(), 'slipway-test-'));
  // Postgres runs as a user of its own, who must get to its directory
  await chmod(dir, 0o711);
  closers.push(() => rm(dir, { recursive: true, force: true }));
  const needsLab = files.some((file) => LAB_FILE.test(file));
  const shared = await startShared(dir);
  const lab = needsLab ? await startLab(dir) : undefined;
  if (lab !== undefined && 'missing' in lab)
    return runFiles(withoutLab(files), {
      ...shared,
      SLIPWAY_TEST_SKIP: JSON.stringify(skipped(files, lab.missing)),
    });
  return runFiles(files, { ...shared, ...lab });
}

async function testFiles(): Promise<string[]> {
  const entries = await readdir(join(ROOT, 'test'), { recursive: true });
  const files = entries.filter((entry) => entry.endsWith('.test.ts')).map((entry) => join('test', entry));
  // lab files take minutes each: they start first, so that the last one does not run alone
  return files.sort((a, b) => Number(LAB_FILE.test(b)) - Number(LAB_FILE.test(a)) || a.localeCompare(b));
}

async function startShared(dir: string): Promise<Record<string, string>> {
  await ensureTools({ log, need: ['temporal'] });
  const bundle = join(dir, 'workflows.js');
  const [postgres, temporal] = await Promise.all([
    startPostgres({ dir: join(dir, 'postgres'), persistent: false, log }),
    startTemporal({ dir: join(dir, 'temporal'), log, searchAttributes: Object.keys(SEARCH_ATTRIBUTES) }),
    bundleWorkflows(join(ROOT, 'test/support/test-workflows.ts')).then(({ code }) => writeFile(bundle, code)),
  ]);
  closers.push(
    () => postgres.stop(),
    () => temporal.stop(),
  );
  return {
    SLIPWAY_TEST_POSTGRES: postgres.url,
    SLIPWAY_TEST_TEMPORAL: temporal.address,
    SLIPWAY_TEST_BUNDLE: bundle,
  };
}

async function startLab(dir: string): Promise<Record<string, string> | { missing: string }> {
  const available = await labAvailability();
  if (!available.ok) {
    if (process.env['CI'] === 'true') throw new Error(`CI needs the lab: ${available.reason}`);
    return { missing: available.reason };
  }
  await ensureTools({ log, need: ['hosts'] });
  const cacheDir = join(toolsDir, 'sample-product');
  const images: string[] = [];
  for (const version of VERSIONS) images.push(await buildSampleImage({ version, cacheDir, log }));
  const sshKeyFile = join(dir, 'ssh-key');
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'slipway-test', '-f', sshKeyFile]);
  const authorizedKey = await readFile(`${sshKeyFile}.pub`, 'utf8');
  const unique = process.pid;
  const hosts = await Promise.all([
    startLabHost({ name: `maria${unique}`, sql: 'mariadb', compose: 'v2', authorizedKey, log, images }),
    startLabHost({ name: `pg${unique}`, sql: 'postgres', compose: 'v1', authorizedKey, log, images }),
  ]);
  closers.push(() => Promise.all(hosts.map((host) => host.stop())));
  await Promise.all(hosts.map(deliverProduct));
  const file = join(dir, 'lab.json');
  await writeFile(file, JSON.stringify({ hosts, sshKeyFile }));
  return { SLIPWAY_TEST_LAB: file };
}

/** Lab files are counted as skipped, each with the reason, by a test file that stands for them. */
function withoutLab(files: string[]): string[] {
  return [...files.filter((file) => !LAB_FILE.test(file)), 'test/support/skipped-files.ts'];
}

function skipped(files: string[], reason: string): { file: string; reason: string }[] {
  return files.filter((file) => LAB_FILE.test(file)).map((file) => ({ file, reason }));
}

function runFiles(files: string[], env: Record<string, string>): Promise<number> {
  log(`${files.length} files`);
  const args = [
    ...['--import', 'tsx', '--test', '--test-reporter=spec', '--test-force-exit'],
    ...[`--test-timeout=${TEST_TIMEOUT_MS}`, '--test-concurrency=2'],
    ...files.map((file) => relative(process.cwd(), join(ROOT, file))),
  ];
  const child = spawn(process.execPath, args, { stdio: 'inherit', env: { ...process.env, ...env } });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
}

let exitCode = 1;
try {
  exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
} finally {
  for (const close of closers.reverse()) {
    await close().catch((error: unknown) => console.error('clean-up:', error));
  }
}
process.exit(exitCode);
