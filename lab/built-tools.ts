import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Log, toolsDir } from './config.js';
import { run } from './run.js';

/** Server 1.29; newer module versions carry `replace` lines, which `go install` refuses. */
const TEMPORAL_VERSION = '1.5.1';
/** The last version of the full server that `go install` takes; newer ones carry `replace` lines too. */
const SERVER_VERSION = '1.29.1';
/** The last v2 that Docker 20.10 (Debian 12) still serves. */
const COMPOSE_VERSION = '2.40.3';
/** The last one whose go.mod asks for no newer Go than the others here. */
const PEBBLE_VERSION = '2.10.1';
/** What the go.mod of the Temporal CLI asks for; an older Go's own words about it do not say so. */
const GO_MINOR = 25;
const NEEDS_GO = `Go 1.${GO_MINOR} or newer is needed to build the lab's tools`;
/** Generous for 70 MB on a slow line, short beside the three minutes of the build that follows. */
const DOWNLOAD_MS = 60_000;

/** Path of the `temporal` command: PATH, cache, the SDK's download, or built by Go. */
export async function ensureTemporal(log: Log): Promise<string> {
  const onPath = findOnPath('temporal');
  if (onPath) return onPath;
  return ensureBuilt('temporal', TEMPORAL_VERSION, async (dir) => {
    if (await downloadTemporal(dir, log)) return;
    const module = `github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_VERSION}`;
    await go(module, ['install', module], { GOBIN: dir, GOTMPDIR: dir, CGO_ENABLED: '0' }, log);
  });
}

/** Path of compose v2 as a docker CLI plugin, built by Go. */
export async function ensureCompose(log: Log): Promise<string> {
  return ensureBuilt('docker-compose', COMPOSE_VERSION, async (dir) => {
    const module = 'github.com/docker/compose/v2';
    const source = await sourceOf(`${module}@v${COMPOSE_VERSION}`);
    // `go install` refuses its go.mod for an `exclude`; built as the main module it is fine.
    const version = `-s -w -X ${module}/internal.Version=v${COMPOSE_VERSION}`;
    const build = ['build', '-C', source, '-trimpath', '-ldflags', version];
    await go(
      `compose v${COMPOSE_VERSION}`,
      [...build, '-o', join(dir, 'docker-compose'), './cmd'],
      { GOTMPDIR: dir, CGO_ENABLED: '0' },
      log,
    );
  });
}

export interface ServerTools {
  /** the full Temporal server, as its image runs it */
  server: string;
  /** creates its databases and schemas, as the image of the admin tools does */
  sql: string;
  /** directories `config` (the image's own template, environment `docker`) and `schema/postgresql/v12` */
  root: string;
}

const SERVER = 'temporal-server';

/** Whether the full server is built or can be; the reason is one line for a person. */
export async function serverAvailability(): Promise<{ ok: true } | { ok: false; reason: string }> {
  if (existsSync(toolFile(SERVER, SERVER_VERSION))) return { ok: true };
  try {
    await findGo();
    return { ok: true };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** The full Temporal server, its SQL tool and their files, built by Go; the lock of tools is held. */
export async function ensureServer(log: Log): Promise<ServerTools> {
  const server = await ensureBuilt(SERVER, SERVER_VERSION, async (dir) => {
    const module = 'go.temporal.io/server';
    const commands = ['server', 'tools/sql'].map((path) => `${module}/cmd/${path}@v${SERVER_VERSION}`);
    const env = { GOBIN: dir, GOTMPDIR: dir, CGO_ENABLED: '0' };
    await go(`${module} v${SERVER_VERSION}`, ['install', ...commands], env, log);
    const source = await sourceOf(`${module}@v${SERVER_VERSION}`);
    for (const path of ['config/docker.yaml', 'schema/postgresql/v12'])
      await cp(join(source, path), join(dir, path), { recursive: true });
    await rename(join(dir, 'server'), join(dir, SERVER));
  });
  const root = dirname(server);
  return { server, sql: join(root, 'sql'), root };
}

export interface AcmeTools {
  /** a certificate authority for tests, which looks at the names that it certifies */
  pebble: string;
  /** the DNS that it asks */
  dns: string;
}

/** The authority that the makers of ACME test with, and its DNS, built by Go; the lock of tools is held. */
export async function ensurePebble(log: Log): Promise<AcmeTools> {
  const pebble = await ensureBuilt('pebble', PEBBLE_VERSION, async (dir) => {
    const module = 'github.com/letsencrypt/pebble/v2';
    const commands = ['pebble', 'pebble-challtestsrv'].map(
      (name) => `${module}/cmd/${name}@v${PEBBLE_VERSION}`,
    );
    const env = { GOBIN: dir, GOTMPDIR: dir, CGO_ENABLED: '0' };
    await go(`pebble v${PEBBLE_VERSION}`, ['install', ...commands], env, log);
  });
  return { pebble, dns: join(dirname(pebble), 'pebble-challtestsrv') };
}

/** Directory of a module's source in Go's cache. */
async function sourceOf(module: string): Promise<string> {
  const { stdout } = await run(await findGo(), ['mod', 'download', '-json', module]);
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}

function toolFile(name: string, version: string): string {
  return join(toolsDir, `${name}-${version}`, name);
}

/** Builds into a directory beside and renames, so that a half-made tool is never found. The lock of tools is held. */
async function ensureBuilt(
  name: string,
  version: string,
  build: (dir: string) => Promise<void>,
): Promise<string> {
  const file = toolFile(name, version);
  if (existsSync(file)) return file;
  const dir = dirname(file);
  const beside = join(toolsDir, `.${name}`);
  await rm(beside, { recursive: true, force: true }); // of a killed build
  await mkdir(beside, { recursive: true });
  try {
    await build(beside);
    await rm(dir, { recursive: true, force: true });
    await rename(beside, dir);
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
  return file;
}

async function go(what: string, args: string[], env: NodeJS.ProcessEnv, log: Log): Promise<void> {
  const began = performance.now();
  const seconds = () => Math.round((performance.now() - began) / 1000);
  log(`building ${what} with Go, a few minutes the first time`);
  const ticks = setInterval(() => log(`  still building (${seconds()} s)`), 15_000);
  try {
    // lowest priority: a build keeps every core busy for minutes
    await run('nice', ['-n', '19', await findGo(), ...args], {
      env: { ...process.env, GOFLAGS: '-buildvcs=false', GOWORK: 'off', ...env },
    });
  } finally {
    clearInterval(ticks);
  }
  log(`  built in ${seconds()} s`);
}

/** Path of the `go` command, also where root's PATH leaves it out; throws when there is none or it is too old. */
export async function findGo(): Promise<string> {
  const found = findOnPath('go') ?? ['/usr/local/go/bin/go', '/usr/lib/go/bin/go'].find(existsSync);
  if (!found) throw new Error(`${NEEDS_GO}, and it is not on the PATH`);
  const { stdout } = await run(found, ['version']);
  const [, minor = ''] = /go1\.(\d+)/.exec(stdout) ?? [];
  if (Number(minor) < GO_MINOR) throw new Error(`${NEEDS_GO}, and ${found} is ${stdout.trim()}`);
  return found;
}

/** In a process of its own, because the SDK's download cannot be cancelled. */
async function downloadTemporal(dir: string, log: Log): Promise<boolean> {
  log(`fetching temporal ${TEMPORAL_VERSION} as the SDK does`);
  const script = fileURLToPath(new URL('./fetch-temporal.ts', import.meta.url));
  const scratch = join(dir, 'fetched');
  await mkdir(scratch);
  const args = ['--import', 'tsx', script, scratch, `v${TEMPORAL_VERSION}`];
  const { code } = await run(process.execPath, args, {
    check: false,
    timeout: DOWNLOAD_MS,
    killSignal: 'SIGKILL',
  });
  const [file] = code === 0 ? await readdir(scratch) : [];
  if (file) {
    await chmod(join(scratch, file), 0o755);
    await rename(join(scratch, file), join(dir, 'temporal'));
  } else {
    log('  not reachable from here');
  }
  await rm(scratch, { recursive: true, force: true });
  return file !== undefined;
}

function findOnPath(name: string): string | undefined {
  const places = (process.env['PATH'] ?? '').split(delimiter).map((dir) => join(dir, name));
  return places.find((file) => existsSync(file));
}
