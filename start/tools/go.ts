import { existsSync } from 'node:fs';
import type { Log } from '../../process/log.js';
import { run } from '../../process/run.js';
import { environmentWith } from './config.js';
import { findOnPath } from './tool-cache.js';

/** What the go.mod of the newest of the tools asks for; an older Go's own words about it do not say so. */
const GO_MINOR = 25;
const NEEDS_GO = `Go 1.${GO_MINOR} or newer is needed`;

/** Path of the `go` command, also where root's PATH leaves it out; throws when there is none or it is too old. */
export async function findGo(): Promise<string> {
  const found = findOnPath('go') ?? ['/usr/local/go/bin/go', '/usr/lib/go/bin/go'].find(existsSync);
  if (!found) throw new Error(`${NEEDS_GO}, and it is not on the PATH`);
  const { stdout } = await run(found, ['version']);
  const [, minor = ''] = /go1\.(\d+)/.exec(stdout) ?? [];
  if (Number(minor) < GO_MINOR) throw new Error(`${NEEDS_GO}, and ${found} is ${stdout.trim()}`);
  return found;
}

interface GoBuild {
  /** arguments of `go` */
  args: string[];
  /** where the programs go; Go's own scratch too, because /tmp may be small */
  dir: string;
  log: Log;
}

/** `go install` or `go build` without cgo, at the lowest priority: it keeps every core busy for minutes. */
export async function buildWithGo({ args, dir, log }: GoBuild): Promise<void> {
  const began = performance.now();
  const seconds = () => Math.round((performance.now() - began) / 1000);
  const ticks = setInterval(() => log(`  still building (${seconds()} s)`), 15_000);
  const env = { GOBIN: dir, GOTMPDIR: dir, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false', GOWORK: 'off' };
  try {
    await run('nice', ['-n', '19', await findGo(), ...args], { env: environmentWith(env) });
  } finally {
    clearInterval(ticks);
  }
  log(`  built in ${seconds()} s`);
}

/** Directory of a module's source in Go's cache. */
export async function sourceOf(module: string): Promise<string> {
  const { stdout } = await run(await findGo(), ['mod', 'download', '-json', module]);
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}
