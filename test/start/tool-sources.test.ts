import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { run } from '../../process/run.js';
import { ensureTool, type Source } from '../../start/tools/tool-cache.js';
import { unpackWheel } from '../../start/tools/wheel.js';

const log = () => undefined;
const hasVenv = spawnSync('python3', ['-c', 'import venv, ensurepip']).status === 0;
const scratch: string[] = [];

async function makeDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'slipway-tools-'));
  scratch.push(dir);
  return dir;
}
after(() => Promise.all(scratch.map((dir) => rm(dir, { recursive: true, force: true }))));

describe('where a tool comes from', () => {
  /** What each source does, and how often each was asked. */
  function sourcesOf(does: readonly ('has it' | 'refuses' | 'has something else')[]) {
    const asked = does.map(() => 0);
    const sources = does.map((what, index): Source => {
      const version = `${index + 1}`;
      return {
        title: `source ${version}`,
        version,
        async fetch(dir) {
          asked[index] = (asked[index] ?? 0) + 1;
          await writeFile(join(dir, 'half'), '');
          if (what === 'refuses') throw new Error('no route\nlast words');
          await writeFile(join(dir, what === 'has it' ? 'tool' : 'other'), version);
        },
      };
    });
    return { sources, asked };
  }

  for (const { does, asked, from } of [
    { does: ['has it', 'has it', 'has it'], asked: [1, 0, 0], from: '1' },
    { does: ['refuses', 'has it', 'has it'], asked: [1, 1, 0], from: '2' },
    { does: ['refuses', 'has something else', 'has it'], asked: [1, 1, 1], from: '3' },
  ] as const) {
    it(`is the first that has it: ${does.join(', ')}`, async () => {
      const cacheDir = await makeDir();
      const { sources, asked: seen } = sourcesOf(does);
      const get = () => ensureTool({ name: 'tool', sources, log, cacheDir });
      const [file, again] = await Promise.all([get(), get()]);
      assert.equal(file, join(cacheDir, `tool-${from}/tool`));
      assert.equal(await readFile(file, 'utf8'), from);
      assert.equal(again, file);
      assert.equal(await get(), file);
      assert.deepEqual(seen, asked);
      assert.deepEqual((await readdir(cacheDir)).sort(), [`tool-${from}`, 'tool.lock']);
    });
  }

  it('is not looked for any further when somebody ended the first way', async () => {
    const cacheDir = await makeDir();
    const { sources, asked } = sourcesOf(['has it']);
    const ended: Source = {
      title: 'ended',
      version: '0',
      fetch: async () => void (await run('sh', ['-c', 'kill -TERM $$'])),
    };
    await assert.rejects(
      ensureTool({ name: 'tool', sources: [ended, ...sources], log, cacheDir }),
      /SIGTERM/,
    );
    assert.deepEqual(asked, [0]);
    assert.deepEqual(await readdir(cacheDir), ['tool.lock']);
  });

  it('is nowhere when all refuse, which says why and leaves nothing half-made', async () => {
    const cacheDir = await makeDir();
    const { sources } = sourcesOf(['refuses', 'has something else']);
    await assert.rejects(ensureTool({ name: 'tool', sources, log, cacheDir }), (error: Error) => {
      assert.match(error.message, /source 1: no route last words\n.*source 2: there is no tool in it/);
      return true;
    });
    assert.deepEqual(await readdir(cacheDir), ['tool.lock']);
  });
});

describe('a wheel', { skip: hasVenv ? false : 'no Python with pip here' }, () => {
  let links: string;
  let sha256: string;
  before(async () => {
    links = await makeDir();
    await run('python3', ['-c', MAKE_WHEEL], { cwd: links });
    const wheel = await readFile(join(links, 'probe_tool-1.0-py3-none-any.whl'));
    sha256 = createHash('sha256').update(wheel).digest('hex');
  });

  async function unpack(hashes: readonly string[]): Promise<string> {
    const dir = await makeDir();
    const requirements = join(dir, 'requirements.txt');
    const pins = hashes.map((hash) => ` --hash=sha256:${hash}`).join('');
    await writeFile(requirements, `--no-index\n--find-links ${links}\nprobe-tool==1.0${pins}\n`);
    await unpackWheel({ requirements, dir });
    return join(dir, 'bin/probe-tool');
  }

  it('with a pinned hash is unpacked, its programs executable', async () => {
    const file = await unpack(['0'.repeat(64), sha256]);
    assert.equal((await run(file, [])).stdout, 'probe\n');
  });

  for (const [what, hashes] of [
    ['another hash', ['0'.repeat(64)]],
    ['no hash', []],
  ] as const) {
    it(`with ${what} is refused`, async () => {
      await assert.rejects(unpack(hashes), /hash/i);
      assert.equal(existsSync(join(scratch.at(-1) ?? '', 'bin')), false);
    });
  }
});

const MAKE_WHEEL = `
import zipfile
with zipfile.ZipFile('probe_tool-1.0-py3-none-any.whl', 'w') as wheel:
    program = zipfile.ZipInfo('probe_tool-1.0.data/scripts/probe-tool')
    program.external_attr = 0o100755 << 16
    wheel.writestr(program, '#!/bin/sh\\necho probe\\n')
    info = 'probe_tool-1.0.dist-info/'
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: probe-tool\\nVersion: 1.0\\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: false\\nTag: py3-none-any\\n')
    wheel.writestr(info + 'RECORD', '')
`;
