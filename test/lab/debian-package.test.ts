import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { unpackPinned } from '../../lab/debian-package.js';
import { run } from '../../process/run.js';

const CONTROL = `Package: probe
Version: 1
Architecture: all
Maintainer: Nobody <nobody@example.test>
Description: probe
`;

describe('a Debian package', { skip: existsSync('/usr/bin/dpkg-deb') ? false : 'no dpkg-deb here' }, () => {
  let dir: string;
  let file: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'slipway-deb-'));
    file = join(dir, 'probe.deb');
    await mkdir(join(dir, 'tree/DEBIAN'), { recursive: true });
    await writeFile(join(dir, 'tree/DEBIAN/control'), CONTROL);
    await writeFile(join(dir, 'tree/probe'), 'content');
    await run('dpkg-deb', ['--build', join(dir, 'tree'), file]);
  });
  after(() => rm(dir, { recursive: true, force: true }));

  it('with a pinned hash is unpacked', async () => {
    const sha256 = createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
    await unpackPinned({ file, sha256: ['0'.repeat(64), sha256], dir: join(dir, 'good') });
    assert.equal(await readFile(join(dir, 'good/probe'), 'utf8'), 'content');
  });

  it('with another hash is refused, and nothing of it is unpacked', async () => {
    await mkdir(join(dir, 'bad'));
    const unpacked = unpackPinned({ file, sha256: ['0'.repeat(64)], dir: join(dir, 'bad') });
    await assert.rejects(unpacked, /probe\.deb has another SHA-256/);
    assert.deepEqual(await readdir(join(dir, 'bad')), []);
  });
});
