import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Script, sh } from '../../../activities/ssh/shell.js';
import { pollUntil } from '../../../process/poll.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';
import { type SshWorld, startSshWorld, type TestStep, testStep } from './ssh-world.js';

describe('a stream from one host into a file on another', () => {
  let from: SshWorld;
  let to: SshWorld;
  before(async () => {
    from = await startSshWorld();
    to = await startSshWorld();
  });
  after(async () => {
    await from?.stop();
    await to?.stop();
  });

  let files = 0;
  function move(script: Script, { step = testStep(), name = `moved/${(files += 1)}` } = {}) {
    const path = join(to.target.baseDir, name);
    // one sshd stands for both hosts: what tells them apart here are their base directories
    const target = { ...from.target, baseDir: to.target.baseDir };
    const moved = from.ssh.transfer({
      from: { target: from.target, script },
      to: { target, path },
      ...{ step, what: 'moving a file', timeoutMs: 60_000 },
    });
    return { path, moved };
  }

  it('arrives byte by byte under its name, and can be repeated', async () => {
    const step = testStep();
    const script = sh`head -c 3000000 /dev/zero | tr '\0' 'x'; printf 'end\0\n'`;
    for (const attempt of [1, 2]) {
      const { path, moved } = move(script, { step: testStep({ ...step, attempt }), name: 'again/file' });
      assert.equal(await moved, 3_000_005);
      const wanted = createHash('sha256')
        .update(`${'x'.repeat(3_000_000)}end\0\n`)
        .digest('hex');
      assert.equal(createHash('sha256').update(readFileSync(path)).digest('hex'), wanted);
    }
  });

  it('never gets its name when the source fails behind its first bytes, and says what the source said', async () => {
    const { path, moved } = move(sh`printf half; echo 'no such table' >&2; exit 3`);
    await assert.rejects(moved, (error: Error) => {
      assert.equal(kindOf(error), 'CommandFailed');
      return /exit code 3: no such table/.test(error.message);
    });
    assert.equal(existsSync(path), false);
  });

  it('is CapacityExceeded when the target says that its disk is full, and ends the source', async () => {
    mkdirSync(join(to.target.baseDir, 'full'));
    symlinkSync('/dev/full', join(to.target.baseDir, 'full/file.partial'));
    const { moved } = move(sh`exec cat /dev/zero`, { name: 'full/file' });
    await assert.rejects(moved, (error) => kindOf(error) === 'CapacityExceeded');
  });

  it('holds no more of it than is under way, however slow the target is', async () => {
    const step: TestStep = testStep();
    const before = process.memoryUsage().rss;
    let most = 0;
    const timer = setInterval(() => void (most = Math.max(most, process.memoryUsage().rss - before)), 20);
    const { moved, path } = move(sh`head -c 200000000 /dev/zero`, { step });
    assert.equal(await moved.finally(() => clearInterval(timer)), 200_000_000);
    assert.equal(statSync(path).size, 200_000_000);
    assert.ok(most < 100_000_000, `${most} bytes more than before`);
  });

  it('is given up when it is cancelled, at both ends', async () => {
    const step = testStep();
    const { path, moved } = move(sh`printf begun; exec sleep 300.77`, { step });
    await pollUntil({
      what: 'the first bytes',
      deadlineMs: 20_000,
      probe: async () => (existsSync(`${path}.partial`) && statSync(`${path}.partial`).size > 0) || undefined,
    });
    step.cancel();
    await assert.rejects(moved, /cancelled/);
    assert.equal(existsSync(path), false);
  });
});
