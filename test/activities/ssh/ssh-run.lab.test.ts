import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { sh } from '../../../activities/ssh/shell.js';
import { frame } from '../../../activities/ssh/talk.js';
import { pollUntil } from '../../../process/poll.js';
import { failure, kindOf } from '../../../workflows/contract/operation/failures.js';
import { nap, type SshWorld, startSshWorld, testStep } from './ssh-world.js';

let world: SshWorld;
before(async () => {
  world = await startSshWorld();
});
after(() => world.stop());

const run: SshWorld['ssh']['run'] = (...args) => world.ssh.run(...args);
const kind = (wanted: string) => (error: unknown) => kindOf(error) === wanted;
const path = (...parts: string[]) => join(world.target.baseDir, ...parts);
const running = (word: string) => spawnSync('pgrep', ['-f', word]).status === 0;

describe('run', () => {
  it('answers exit code, output and errors, apart', async () => {
    const result = await run(world.target, sh`echo out; echo ${"it's"} >&2; exit 3`);
    assert.deepEqual(result, { exitCode: 3, stdout: 'out\n', stderr: "it's\n" });
  });

  it('stops at the first failing command and at unset variables', async () => {
    const failed = await run(world.target, sh`echo a; false; echo b`);
    assert.deepEqual(failed, { exitCode: 1, stdout: 'a\n', stderr: '' });
    const unset = await run(world.target, sh`echo "$nothing_here"; echo b`);
    assert.notEqual(unset.exitCode, 0);
    assert.equal(unset.stdout, '');
  });

  it('hands the input to the commands byte by byte, whatever its size', async () => {
    const input = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 7 + (i >> 8)) % 256));
    const { stdout } = await run(world.target, sh`sha256sum | cut -c 1-64`, { input });
    const wanted = spawnSync('sha256sum', { input }).stdout.toString().slice(0, 64);
    assert.equal(stdout.trim(), wanted);
  });

  it('runs a script of 300 kB, larger than any argument may be', async () => {
    const value = 'x'.repeat(300_000);
    const { stdout } = await run(world.target, sh`value=${value}; echo "\${#value}"; cat`, { input: 'rest' });
    assert.equal(stdout, '300000\nrest');
  });

  it('that was cut short on its way does not run at all', () => {
    const file = path('cut-short');
    const { command, stdin } = frame('slipway-x', sh`touch ${file}; true`);
    const send = (bytes: Buffer) => spawnSync('sh', ['-c', command], { input: bytes }).status;
    assert.equal(send(stdin.subarray(0, stdin.length - 7)), 97);
    assert.ok(!existsSync(file));
    assert.equal(send(stdin), 0);
    assert.ok(existsSync(file));
  });

  it('shows neither script nor input to other processes', async () => {
    const { stdout } = await run(
      world.target,
      sh`word=${'sparrow-7262'}; cat >/dev/null; cat /proc/[0-9]*/cmdline | tr '\0' ' '`,
      {
        input: 'sparrow-7262',
      },
    );
    assert.match(stdout, /exec bash -c|bash -c/);
    assert.doesNotMatch(stdout, /sparrow-7262/);
  });

  it('speaks the C locale', async () => {
    const { stdout } = await run(world.target, sh`locale | grep LC_ALL; ls /nonexistent 2>&1 || :`);
    assert.match(stdout, /LC_ALL=C\n.*No such file/s);
  });

  it('reads no more than the bound, and says that it was cut', async () => {
    const result = await run(world.target, sh`head -c 200000 /dev/zero | tr '\0' x; echo end >&2`, {
      maxOutputBytes: 1000,
    });
    assert.equal(result.stdout.length, 1000);
    assert.equal(result.stderr, 'end\n');
    assert.equal(result.truncated, true);
  });

  it('gives up after its time, and ends the command on the host', async () => {
    const started = Date.now();
    await assert.rejects(run(world.target, sh`sleep ${nap(61)}; :`, { timeoutMs: 300 }), kind('Unavailable'));
    assert.ok(Date.now() - started < 20_000);
    await pollUntil({
      what: 'the sleep ends',
      deadlineMs: 20_000,
      probe: () => (running(`sleep ${nap(61)}`) ? undefined : true),
    });
  });

  it('rejects at once with the reason of an abort, also while it waits for a channel', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const pending = Array.from({ length: 9 }, () =>
      run(world.target, sh`sleep ${nap(62)}; :`, { signal: controller.signal }),
    );
    const settled = Promise.allSettled(pending);
    await pollUntil({
      what: 'they run',
      deadlineMs: 20_000,
      probe: () => (running(`sleep ${nap(62)}`) ? true : undefined),
    });
    const started = Date.now();
    controller.abort(reason);
    for (const result of await settled) assert.equal(result.status === 'rejected' && result.reason, reason);
    assert.ok(Date.now() - started < 5000);
    assert.equal((await run(world.target, sh`echo on`)).stdout, 'on\n');
    await pollUntil({
      what: 'they end',
      deadlineMs: 20_000,
      probe: () => (running(`sleep ${nap(62)}`) ? undefined : true),
    });
  });

  it('reports the death of a script by a signal as a shell does', async () => {
    assert.equal((await run(world.target, sh`kill -KILL $$`)).exitCode, 137);
  });

  it('serves 50 runs at a time over one connection and refuses none', async () => {
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, i) => run(world.target, sh`echo ${i}; echo "$SSH_CONNECTION"`)),
    );
    assert.deepEqual(
      results.map(({ stdout }) => stdout.split('\n')[0]),
      results.map((_, i) => String(i)),
    );
    assert.equal(new Set(results.map(({ stdout }) => stdout.split('\n')[1])).size, 1);
  });

  it('waits where sshd has fewer sessions than it wants', async () => {
    const small = await startSshWorld({ config: ['MaxSessions 2'] });
    try {
      const runs = Array.from({ length: 12 }, (_, i) =>
        small.ssh.run(small.target, sh`sleep 0.02; echo ${i}`),
      );
      const outputs = (await Promise.all(runs)).map(({ stdout }) => Number(stdout));
      assert.deepEqual(
        outputs,
        Array.from({ length: 12 }, (_, i) => i),
      );
    } finally {
      await small.stop();
    }
  });
});

describe('runOk', () => {
  it('answers the result of a success and fails with the words of a failure', async () => {
    assert.equal((await world.ssh.runOk(world.target, sh`echo yes`)).stdout, 'yes\n');
    await assert.rejects(
      world.ssh.runOk(world.target, sh`echo 'port is in use' >&2; exit 9`, { what: 'compose up of client7' }),
      (error: Error) => {
        assert.equal(kindOf(error), 'CommandFailed');
        assert.match(
          error.message,
          /^compose up of client7 on root@127.0.0.1:\d+ ended with exit code 9: port is in use$/,
        );
        return true;
      },
    );
  });
});

describe('upload', () => {
  it('writes content and mode, over what was there, and leaves nothing beside', async () => {
    mkdirSync(path('files'));
    writeFileSync(path('files', "o'dd name"), 'old', { mode: 0o777 });
    const content = Buffer.from([0, 1, 255, 10, 10]);
    await world.ssh.upload(world.target, { path: path('files', "o'dd name"), content, mode: 0o640 });
    assert.deepEqual(readFileSync(path('files', "o'dd name")), content);
    assert.equal(statSync(path('files', "o'dd name")).mode & 0o7777, 0o640);
    await world.ssh.upload(world.target, { path: path('files', '-x'), content: '', mode: 0o755 });
    assert.equal(statSync(path('files', '-x')).mode & 0o7777, 0o755);
    assert.deepEqual(readdirSync(path('files')).sort(), ['-x', "o'dd name"]);
  });

  it('replaces a link rather than what it points to, and refuses a directory', async () => {
    mkdirSync(path('links', 'directory'), { recursive: true });
    writeFileSync(path('links', 'target'), 'kept');
    symlinkSync('target', path('links', 'link'));
    await world.ssh.upload(world.target, { path: path('links', 'link'), content: 'new', mode: 0o600 });
    assert.equal(readFileSync(path('links', 'target'), 'utf8'), 'kept');
    assert.equal(readFileSync(path('links', 'link'), 'utf8'), 'new');
    const onto = { path: path('links', 'directory'), content: 'x', mode: 0o600 };
    await assert.rejects(world.ssh.upload(world.target, onto), kind('CommandFailed'));
    await assert.rejects(world.ssh.upload(world.target, { ...onto, path: 'relative' }), kind('InvalidInput'));
    assert.deepEqual(readdirSync(path('links')).sort(), ['directory', 'link', 'target']);
  });

  it('is refused behind a fence that a later attempt has taken', async () => {
    const step = testStep({ attempt: 2 });
    await run(world.target, sh`true`, { fence: step });
    const file = { path: path('fenced'), content: 'x', mode: 0o600 };
    await assert.rejects(
      world.ssh.upload(world.target, file, { fence: { ...step, attempt: 1 } }),
      kind('OperationClosed'),
    );
    assert.throws(() => statSync(path('fenced')), /ENOENT/);
  });
});

describe('the fence', () => {
  const order = [
    { operation: '01J00000000000000000000000', seq: 9, attempt: 9 },
    { operation: '01J00000000000000000000001', seq: 2, attempt: 7 },
    { operation: '01J00000000000000000000001', seq: 10, attempt: 1 },
    { operation: '01J00000000000000000000001', seq: 10, attempt: 2 },
    { operation: '01Z00000000000000000000000', seq: 1, attempt: 1 },
  ];

  it('refuses whatever is lower than it has seen, and takes what is equal or higher', async () => {
    const { subject } = testStep();
    const attempt = (at: object) =>
      run(world.target, sh`echo ran >> ${path('written')}`, { fence: testStep({ subject, ...at }) });
    for (const [index, at] of order.entries()) {
      await attempt(at);
      await attempt(at);
      for (const lower of order.slice(0, index)) {
        await assert.rejects(attempt(lower), (error: Error) => {
          assert.equal(kindOf(error), 'OperationClosed');
          assert.match(error.message, /later attempt has taken over/);
          return true;
        });
      }
    }
    assert.equal(readFileSync(path('written'), 'utf8'), 'ran\n'.repeat(2 * order.length));
  });

  it('keeps subjects apart, and the output free of its own words', async () => {
    const fence = testStep();
    const lower = { ...testStep(), operation: '01000000000000000000000000' };
    await run(world.target, sh`true`, { fence });
    assert.deepEqual(
      await run(world.target, sh`echo a; echo b >&2; cat; exit 4`, { fence: lower, input: 'c' }),
      {
        exitCode: 4,
        stdout: 'a\nc',
        stderr: 'b\n',
      },
    );
  });

  it('lets scripts of one subject run one after another', async () => {
    const fence = testStep();
    const file = path('order');
    const note = (name: string, attempt: number) =>
      run(
        world.target,
        sh`echo ${`${name} begins`} >> ${file}; sleep 0.2; echo ${`${name} ends`} >> ${file}`,
        {
          fence: { ...fence, attempt },
        },
      );
    await Promise.all([note('a', 1), note('b', 1), note('c', 1)]);
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    assert.equal(lines.length, 6);
    for (let i = 0; i < 6; i += 2) assert.equal(lines[i]?.replace('begins', 'ends'), lines[i + 1]);
  });

  it('waits for a running script of an earlier attempt only so long', async () => {
    const impatient = world.another({ lockWaitMs: 200 });
    const fence = testStep();
    const controller = new AbortController();
    const held = run(world.target, sh`touch ${path('held')}; sleep 20; :`, {
      fence,
      signal: controller.signal,
    }).catch((error: Error) => error);
    await pollUntil({ what: 'it holds', deadlineMs: 20_000, probe: () => statSync(path('held')) && true });
    await assert.rejects(
      impatient.run(world.target, sh`true`, { fence: { ...fence, attempt: 2 } }),
      kind('Unavailable'),
    );
    controller.abort(failure('Unavailable', 'over'));
    assert.equal(((await held) as Error).message, 'over');
    await run(world.target, sh`true`, { fence: { ...fence, attempt: 2 } });
  });

  it('is not held by a daemon that a script has started', async () => {
    const fence = testStep();
    await run(world.target, sh`setsid -f sleep 13.5 </dev/null >/dev/null 2>&1`, { fence });
    const started = Date.now();
    await run(world.target, sh`true`, { fence: { ...fence, attempt: 2 } });
    assert.ok(Date.now() - started < 10_000);
  });
});

describe('a full disk', () => {
  let full: string;
  before(() => {
    full = path('full');
    mkdirSync(full);
    assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', full]).status, 0);
  });
  after(() => {
    spawnSync('umount', ['-l', full]);
    rmSync(full, { recursive: true, force: true });
  });
  const fill = () => spawnSync('dd', ['if=/dev/zero', `of=${full}/ballast`, 'bs=4k']);

  it('is told as such, still lets undos run, and keeps a fence that exists', async () => {
    const target = { ...world.target, baseDir: full };
    const known = testStep();
    await run(target, sh`true`, { fence: known });
    fill();
    const writing = sh`head -c 100000 /dev/zero > ${`${full}/new`}`;
    await assert.rejects(world.ssh.runOk(target, writing, { fence: known }), kind('CapacityExceeded'));
    await assert.rejects(
      world.ssh.upload(target, { path: `${full}/up`, content: 'x'.repeat(9000), mode: 0o600 }),
      kind('CapacityExceeded'),
    );
    assert.deepEqual(
      readdirSync(full).filter((name) => name.includes('up')),
      [],
    );
    await run(target, sh`true`, { fence: { ...known, attempt: 2 } });
    await assert.rejects(run(target, sh`true`, { fence: known }), kind('OperationClosed'));
    const fresh = testStep();
    await assert.rejects(run(target, sh`true`, { fence: fresh }), kind('CapacityExceeded'));
    const undo = await world.ssh.runOk(target, sh`rm -f ${`${full}/new`}; echo undone`, {
      fence: testStep({ phase: 'undo' }),
    });
    assert.equal(undo.stdout, 'undone\n');
  });
});
