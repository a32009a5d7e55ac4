import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { access, copyFile, cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pack, type Pack } from 'tar-stream';
import { IMAGE_LABELS } from '../../activities/docker/image-labels.js';
import type { Log } from '../../process/log.js';
import { findGo } from '../../start/tools/go.js';
import { run } from '../../process/run.js';

export const SAMPLE_IMAGE = 'slipway-sample';

const SOURCE = new URL('.', import.meta.url).pathname;
const BUSYBOX = '/bin/busybox';

export interface SampleImage {
  /** such as `1.3-master`; which migrations the image has follows from its numbers */
  version: string;
  /** for the built program and finished images; they are found again by content */
  cacheDir: string;
  log: Log;
  branch?: string;
  commit?: string;
  /** what `docker images` shows as its age; the same by default, so that equal images have equal ids */
  createdAt?: Date;
}

/**
 * Makes the tar of `slipway-sample:<version>` that `docker load` takes, without a Docker engine, and answers its path.
 * Needs Go and a static busybox on the machine; a missing one is named in the error.
 */
export async function buildSampleImage(options: SampleImage): Promise<string> {
  if (!/^\w[\w.-]{0,127}$/.test(options.version))
    throw new Error(`"${options.version}" is not an image version`);
  const program = await buildSampleProgram(options);
  const { layer, config } = await describeImage(options, program);
  const digest = sha256(Buffer.concat([Buffer.from(config), layer]));
  const file = join(options.cacheDir, `${SAMPLE_IMAGE}-${options.version}-${digest.slice(0, 16)}.tar`);
  if (await exists(file)) return file;
  options.log(`writing ${file}`);
  await writeImage({ file, layer, config, version: options.version });
  return file;
}

/** The program alone, static: `artisan serve`, `artisan migrate`, … with `SAMPLE_ROOT` instead of `/app`. */
export async function buildSampleProgram({
  cacheDir,
  log,
}: Pick<SampleImage, 'cacheDir' | 'log'>): Promise<string> {
  await mkdir(cacheDir, { recursive: true });
  const sources = (await readdir(SOURCE)).filter((name) => /\.go$|^go\.(mod|sum)$/.test(name)).sort();
  const texts = await Promise.all(sources.map((name) => readFile(join(SOURCE, name))));
  const file = join(cacheDir, `artisan-${sha256(Buffer.concat(texts)).slice(0, 16)}`);
  if (await exists(file)) return file;
  log('building the sample product');
  const beside = `${file}.${process.pid}`;
  // without symbols it is a third smaller; no VCS stamp, so that equal sources are an equal program
  const args = ['build', '-trimpath', '-buildvcs=false', '-ldflags', '-s -w', '-o', beside, '.'];
  await run(await findGo(), args, { cwd: SOURCE, env: { ...process.env, CGO_ENABLED: '0', GOOS: 'linux' } });
  await rename(beside, file);
  return file;
}

/** Fills `directory` with what `docker build --build-arg VERSION=…` of the sample product needs. */
export async function writeBuildContext(
  options: Pick<SampleImage, 'cacheDir' | 'log'> & { directory: string },
): Promise<void> {
  const program = await buildSampleProgram(options);
  await mkdir(join(options.directory, 'etc'), { recursive: true });
  await copyFile(program, join(options.directory, 'artisan'));
  await copyFile(await findBusybox(), join(options.directory, 'busybox'));
  for (const name of ['Dockerfile', '.env.example'])
    await cp(join(SOURCE, name), join(options.directory, name));
  for (const [name, text] of Object.entries(ACCOUNTS))
    await writeFile(join(options.directory, 'etc', name), text);
}

const ACCOUNTS = {
  passwd: 'root:x:0:0:root:/app:/bin/sh\nwww-data:x:33:33:www-data:/app:/bin/sh\n',
  group: 'root:x:0:\nwww-data:x:33:\n',
};

async function describeImage(
  options: SampleImage,
  program: string,
): Promise<{ layer: Buffer; config: string }> {
  const created = (options.createdAt ?? new Date('2020-01-01T00:00:00Z')).toISOString();
  const layer = await buildLayer({ program, busybox: await findBusybox(), version: options.version });
  const config = JSON.stringify({
    // Docker's names are Go's
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    created,
    config: {
      Env: ['PATH=/bin'],
      Cmd: ['artisan', 'serve'],
      WorkingDir: '/app',
      ExposedPorts: { '8000/tcp': {} },
      Labels: {
        [IMAGE_LABELS.version]: options.version,
        [IMAGE_LABELS.branch]: options.branch ?? (options.version.endsWith('-dev') ? 'dev' : 'master'),
        [IMAGE_LABELS.commit]: options.commit ?? sha256(Buffer.from(options.version)).slice(0, 40),
        [IMAGE_LABELS.built]: created,
      },
    },
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
    history: [{ created, created_by: 'lab/product/image.ts' }],
  });
  return { layer, config };
}

async function buildLayer(parts: { program: string; busybox: string; version: string }): Promise<Buffer> {
  const { stdout: applets } = await run(parts.busybox, ['--list']);
  const tar = pack();
  const collected = collect(tar);
  for (const directory of ['app', 'app/public', 'bin', 'etc'])
    tar.entry({ ...FIXED, name: directory, type: 'directory', mode: 0o755 });
  tar.entry({ ...FIXED, name: 'tmp', type: 'directory', mode: 0o1777 });
  tar.entry({ ...FIXED, name: 'bin/busybox', mode: 0o755 }, await readFile(parts.busybox));
  for (const applet of applets.split('\n').filter((name) => name !== '' && name !== 'busybox')) {
    tar.entry({ ...FIXED, name: `bin/${applet}`, type: 'symlink', linkname: 'busybox' });
  }
  tar.entry({ ...FIXED, name: 'bin/artisan', mode: 0o755 }, await readFile(parts.program));
  for (const [name, text] of Object.entries(ACCOUNTS))
    tar.entry({ ...FIXED, name: `etc/${name}`, mode: 0o644 }, text);
  tar.entry({ ...FIXED, name: 'app/VERSION', mode: 0o644 }, `${parts.version}\n`);
  tar.finalize();
  return collected;
}

/** The same time everywhere: equal content is an equal layer. */
const FIXED = { mtime: new Date(0), uid: 0, gid: 0 } as const;

interface ImageFile {
  file: string;
  layer: Buffer;
  config: string;
  version: string;
}

async function writeImage({ file, layer, config, version }: ImageFile): Promise<void> {
  const configName = `${sha256(Buffer.from(config))}.json`;
  const layerName = `${sha256(layer)}/layer.tar`;
  const manifest = [{ Config: configName, RepoTags: [`${SAMPLE_IMAGE}:${version}`], Layers: [layerName] }];
  const tar = pack();
  const beside = `${file}.${process.pid}`;
  const written = pipeline(tar, createWriteStream(beside));
  tar.entry({ ...FIXED, name: configName }, config);
  tar.entry({ ...FIXED, name: layerName }, layer);
  tar.entry({ ...FIXED, name: 'manifest.json' }, JSON.stringify(manifest));
  tar.finalize();
  try {
    await written;
    await rename(beside, file);
  } finally {
    await rm(beside, { force: true });
  }
}

async function collect(tar: Pack): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of tar as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function findBusybox(): Promise<string> {
  for (const file of [BUSYBOX, '/usr/bin/busybox']) if (await exists(file)) return file;
  throw new Error('there is no busybox on this machine; the package busybox-static brings it');
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
