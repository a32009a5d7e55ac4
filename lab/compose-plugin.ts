import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../process/log.js';
import { unpackDebianPackage } from './debian-package.js';
import { buildWithGo, sourceOf } from '../start/tools/go.js';
import { run } from '../process/run.js';
import { ensureTool, type Source } from '../start/tools/tool-cache.js';

/** Of Debian 13; it runs on 12 too. */
const PACKAGE = { name: 'docker-compose', version: '2.26.1-4', suite: 'trixie' };
const SHA256 = {
  amd64: '47681197cb2b1ab88206b42a1a92fc75f50d9530a6322d03494a473eed0408ea',
  arm64: 'bbafaa666f3e7fa00ad36f2a8bab889f1c791ca8743d674e7267a3d07203869c',
};
/** The last v2, which is the last that Docker 20.10 (Debian 12) still serves. */
const BUILT_VERSION = '2.40.3';
/** Where Debian's package has it. */
const PLUGIN = 'usr/libexec/docker/cli-plugins/docker-compose';

/** Path of compose v2 as a docker CLI plugin: the machine's own from Debian, cache, Debian's package, or built by Go. */
export async function ensureCompose(log: Log): Promise<string> {
  if (await isPlugin(`/${PLUGIN}`)) return `/${PLUGIN}`;
  return ensureTool({ name: 'docker-compose', sources: sources(log), log });
}

function sources(log: Log): Source[] {
  return [
    {
      title: `fetching ${PACKAGE.version} of Debian ${PACKAGE.suite}`,
      version: PACKAGE.version,
      async fetch(dir) {
        await unpackDebianPackage({ ...PACKAGE, sha256: SHA256, dir: join(dir, 'package') });
        await rename(join(dir, 'package', PLUGIN), join(dir, 'docker-compose'));
        await rm(join(dir, 'package'), { recursive: true });
      },
    },
    {
      title: `building ${BUILT_VERSION} with Go, which takes minutes`,
      version: BUILT_VERSION,
      fetch: (dir) => build(dir, log),
    },
  ];
}

async function build(dir: string, log: Log): Promise<void> {
  const module = 'github.com/docker/compose/v2';
  const source = await sourceOf(`${module}@v${BUILT_VERSION}`);
  // `go install` refuses its go.mod for an `exclude`; built as the main module it is fine.
  const version = `-s -w -X ${module}/internal.Version=v${BUILT_VERSION}`;
  const args = ['build', '-C', source, '-trimpath', '-ldflags', version];
  await buildWithGo({ args: [...args, '-o', join(dir, 'docker-compose'), './cmd'], dir, log });
}

/** Debian 12's package of this name is v1, and has no plugin. */
async function isPlugin(file: string): Promise<boolean> {
  if (!existsSync(file)) return false;
  const { stdout } = await run(file, ['docker-cli-plugin-metadata'], { check: false });
  return /"Version": *"v?2\./.test(stdout);
}
