import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLabHost } from '../lab/host.js';
import { startPostgres } from '../start/services/postgres.js';
import { ensureBrowser } from '../lab/packages.js';
import { prepareLab } from '../lab/prepare.js';
import { deliverProduct } from '../lab/product/deliver.js';
import { run } from '../process/run.js';
import { startTemporal } from '../start/services/temporal.js';
import { labAvailability } from '../lab/tools.js';
import { bundleWorkflows } from '../worker/bundle.js';
import { SEARCH_ATTRIBUTES } from '../workflows/contract/search-attributes.js';
import { compile } from './support/compile.js';
import { compiledFile } from './support/program.js';

const ROOT = new URL('..', import.meta.url).pathname;
/** Every file that needs lab hosts is named so. */
const LAB_FILE = /\.lab\.test\.ts$/;
/** Needs no host, but long: processes that die, hundreds of operations, operations among each other, sweeps. */
const SLOW_FILE = /\.slow\.test\.ts$/;
/** They measure what Slipway takes, not what a busy machine adds. */
const LAST = /\/(?:degraded|lost-workers|timing)\.slow\.test\.ts$/;
/** Of a whole file: the longest takes five minutes alone on two cores, and a busy machine three times that. */
const TEST_TIMEOUT_MS = 25 * 60_000;
/** Two keep both cores and their hosts busy, unless they wait for heartbeats that are missed, as some do for minutes. */
const LAB_FILES_AT_ONCE = 3;
/** The others wait half of their time. */
const FILES_AT_ONCE = 6;
/** With the slow ones among them, more would only make each other miss their deadlines on two cores. */
const SLOW_FILES_AT_ONCE = 4;
/** Processes for the files that need none of their own. */
const GROUPS = 6;
/** Workflows that test files share. */
const BUNDLES = {
  SLIPWAY_TEST_BUNDLE: 'test/support/core-workflows.ts',
  SLIPWAY_TEST_API_BUNDLE: 'test/api/workflows.ts',
};
const RUNNER = 'test/support/run-files.ts';
/** Programs that test files start. */
const WORKERS = ['test/support/worker-process.ts', 'test/support/scripted-worker-process.ts'];
/** Versions of the sample product that tests switch between. */
const VERSIONS = ['1.3-master', '1.4-master'];

const log = (line: string): void => console.log(`# ${line}`);
const closers: (() => Promise<unknown>)[] = [];

async function main(args: string[]): Promise<number> {
  const fast = args.includes('--fast');
  const wanted = args.filter((arg) => !arg.startsWith('--'));
  const files = (await testFiles())
    .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
    .filter((file) => !fast || !(LAB_FILE.test(file) || SLOW_FILE.test(file)));
  const dir = await mkdtemp(join(tmpdir(), 'slipway-test-'));
  // Postgres runs as a user of its own, who must get to its directory
  await chmod(dir, 0o711);
  closers.push(() => rm(dir, { recursive: true, force: true }));
  if (!files.some((file) => LAB_FILE.test(file)))
    return runFiles({ files, env: await startShared(dir), dir });
  const available = await labAvailability();
  if (!available.ok) {
    if (process.env['CI'] === 'true') throw new Error(`CI needs the lab: ${available.reason}`);
    const env = {
      ...(await startShared(dir)),
      SLIPWAY_TEST_SKIP: JSON.stringify(skipped(files, available.reason)),
    };
    return runFiles({ files: withoutLab(files), env, dir });
  }
  const images = await prepareLab(VERSIONS, log);
  await ensureBrowser(log);
  const [shared, lab] = await Promise.all([startShared(dir), startLab(dir, images)]);
  return runFiles({ files, env: { ...shared, ...lab }, dir });
}

async function testFiles(): Promise<string[]> {
  const entries = await readdir(join(ROOT, 'test'), { recursive: true });
  const files = entries.filter((entry) => entry.endsWith('.test.ts')).map((entry) => join('test', entry));
  return files.sort((a, b) => a.localeCompare(b));
}

async function startShared(dir: string): Promise<Record<string, string>> {
  const [postgres, temporal, bundles] = await Promise.all([
    startPostgres({ dir: join(dir, 'postgres'), persistent: false, log }),
    startTemporal({ dir: join(dir, 'temporal'), log, searchAttributes: Object.keys(SEARCH_ATTRIBUTES) }),
    bundleAll(dir),
  ]);
  closers.push(
    () => postgres.stop(),
    () => temporal.stop(),
  );
  return {
    SLIPWAY_TEST_POSTGRES: postgres.url,
    SLIPWAY_TEST_TEMPORAL: temporal.address,
    ...bundles,
  };
}

/** A bundle costs a second of a processor, so test files do not make their own. */
async function bundleAll(dir: string): Promise<Record<string, string>> {
  const made: Record<string, string> = {};
  for (const [variable, workflows] of Object.entries(BUNDLES)) {
    const file = join(dir, `${variable}.js`);
    await writeFile(file, (await bundleWorkflows(join(ROOT, workflows))).code);
    made[variable] = file;
  }
  return made;
}

async function startLab(dir: string, images: string[]): Promise<Record<string, string>> {
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

interface RunFiles {
  files: string[];
  env: Record<string, string>;
  dir: string;
}

async function runFiles({ files, env, dir }: RunFiles): Promise<number> {
  log(`${files.length} files`);
  const built = join(dir, 'built');
  await mkdir(built);
  const groups = await dealOut(files.filter((file) => !isAlone(file)));
  await compile({ root: ROOT, files: [RUNNER, ...WORKERS, ...files], dir: built });
  const together = await Promise.all(groups.map((group, index) => writeGroup(built, group, index)));
  const compiled = (test: (file: string) => boolean): string[] =>
    files.filter(test).map((file) => compiledFile(built, file));
  // the longest start first, so that none of them runs alone at the end
  const programs = [
    ...compiled((file) => LAB_FILE.test(file)),
    ...together,
    ...compiled((file) => SLOW_FILE.test(file) && !LAST.test(file)),
    ...compiled((file) => LAST.test(file)),
  ];
  const args = [
    ...[
      '--enable-source-maps',
      compiledFile(built, RUNNER),
      `--concurrency=${files.some((file) => SLOW_FILE.test(file)) ? SLOW_FILES_AT_ONCE : FILES_AT_ONCE}`,
      `--hosts=${files.filter((file) => LAB_FILE.test(file)).length}`,
      `--hosts-concurrency=${LAB_FILES_AT_ONCE}`,
      `--timeout=${TEST_TIMEOUT_MS}`,
    ],
    ...programs,
  ];
  const child = spawn(process.execPath, args, {
    stdio: 'inherit',
    env: { ...process.env, ...env, SLIPWAY_TEST_BUILT: built },
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
}

/** Loses its processes on purpose, or takes so long that it would hold up the others of a group. */
function isAlone(file: string): boolean {
  return LAB_FILE.test(file) || SLOW_FILE.test(file);
}

/** A process costs a second of a processor before its first test, so files share some; length stands for time. */
async function dealOut(files: string[]): Promise<string[][]> {
  const sized = await Promise.all(files.map(async (file) => ({ file, size: (await stat(file)).size })));
  const groups = Array.from({ length: Math.min(GROUPS, files.length) }, () => ({
    size: 0,
    files: [] as string[],
  }));
  for (const { file, size } of sized.sort((a, b) => b.size - a.size)) {
    const smallest = groups.reduce((least, group) => (group.size < least.size ? group : least));
    smallest.files.push(file);
    smallest.size += size;
  }
  return groups.map((group) => group.files);
}

async function writeGroup(built: string, files: string[], index: number): Promise<string> {
  const program = join(built, `group-${index + 1}.mjs`);
  await writeFile(
    program,
    files.map((file) => `import ${JSON.stringify(compiledFile(built, file))};\n`).join(''),
  );
  return program;
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
