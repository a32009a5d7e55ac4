import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { sh } from '../../../activities/ssh/shell.js';
import { createSsh } from '../../../activities/ssh/ssh.js';
import { pollUntil } from '../../../process/poll.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';
import { jobKey } from '../../../workflows/contract/operation/step.js';
import { labPrivateKey, noLab, sharedHost } from '../../support/lab.js';
import {
  keepOutput,
  nap,
  nextAttempt,
  type SshWorld,
  startSshWorld,
  testJob,
  testStep,
} from './ssh-world.js';

let world: SshWorld;
before(async () => {
  world = await startSshWorld({ settings: { endGraceMs: 1500 } });
});
after(() => world.stop());

const runJob: SshWorld['ssh']['runJob'] = (...args) => world.ssh.runJob(...args);
const kind = (wanted: string) => (error: unknown) => kindOf(error) === wanted;
const base = (...parts: string[]) => join(world.target.baseDir, ...parts);
const jobDirectory = (key: string) => base('slipway', 'jobs', key);
const leaderOf = (key: string) => Number(readFileSync(join(jobDirectory(key), 'pid'), 'utf8').split(' ')[0]);
const alive = (pid: number) =>
  existsSync(`/proc/${pid}`) && !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
const until = (what: string, probe: () => boolean) =>
  pollUntil({ what, deadlineMs: 20_000, probe: () => (probe() ? true : undefined) });
const seconds = (count: number, file: string) =>
  sh`echo ran >> ${file}; for i in $(seq 0 ${count * 10 - 1}); do echo "line $i é🚢"; sleep 0.1; done`;
const lines = (count: number) => Array.from({ length: count * 10 }, (_, i) => `line ${i} é🚢\n`).join('');

const transient = ({ exitCode, tail }: { exitCode: number; tail: string }) =>
  exitCode === 17 && tail.includes('toomany');
const broken = () => Promise.reject(new TypeError('reader'));

describe('runJob', () => {
  it('runs once, with its input on standard input, and answers exit code and tail', async () => {
    const step = testStep();
    const output = keepOutput();
    const script = sh`cat; echo; echo "to errors" >&2; exit 7`;
    const result = await runJob(world.target, testJob(step, output, { script, input: 'canary-input' }));
    assert.deepEqual(result, { exitCode: 7, tail: 'canary-input\nto errors\n' });
    assert.equal(output.text(), 'canary-input\nto errors\n');
    assert.equal(output.flaw(), null);
    const directory = jobDirectory(jobKey(step));
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    assert.ok(!existsSync(join(directory, 'input')));
    assert.match(readFileSync(join(directory, 'exit'), 'utf8'), /^7 /);
    assert.match(
      readFileSync(join(directory, 'pid'), 'utf8'),
      /^\d+ \d+ [0-9a-f-]{36} 0\w{25}\.000001\.000001/,
    );
    const again = keepOutput();
    assert.deepEqual(
      await runJob(
        world.target,
        testJob(nextAttempt(testStep({ ...step, lastBeat: undefined })), again, { script }),
      ),
      result,
    );
    assert.equal(again.text(), output.text());
  });

  it('keeps its input from other eyes: not in arguments, not in the environment, not on disk while it runs', async () => {
    const step = testStep();
    const script = sh`ls ${jobDirectory(jobKey(step))}; cat /proc/[0-9]*/cmdline /proc/self/environ | tr '\0' ' '; wc -c`;
    const output = keepOutput();
    await runJob(world.target, testJob(step, output, { script, input: 'sparrow-7261' }));
    assert.match(output.text(), /script/);
    assert.doesNotMatch(output.text(), /sparrow-7261|^input$/m);
    assert.match(output.text(), /12\n$/);
  });

  it('streams while the command runs, within a second of each line', async () => {
    const seen: { text: string; at: number }[] = [];
    const script = sh`for i in 1 2 3 4 5; do date +%s.%N; sleep 0.2; done`;
    const onOutput = async ({ text }: { text: string }) => void seen.push({ text, at: Date.now() / 1000 });
    await runJob(world.target, testJob(testStep(), keepOutput(), { script, onOutput }));
    assert.ok(seen.length >= 4, `${seen.length} chunks`);
    for (const { text, at } of seen) assert.ok(at - Number(text.trim().split('\n').at(-1)) < 1);
  });

  it('costs a command that ends at once few round trips and no wait', async () => {
    const times: number[] = [];
    for (let i = 0; i < 9; i += 1) {
      const started = performance.now();
      await runJob(world.target, testJob(testStep(), keepOutput(), { script: sh`true` }));
      times.push(performance.now() - started);
    }
    // 20 ms alone; the least of them, and room for a busy machine: a wait of the next second would show all the same
    assert.ok(Math.min(...times) < 400, `${times.map(Math.round).join(', ')} ms`);
  });

  it('hands on megabytes of any bytes without loss', async () => {
    const output = keepOutput();
    const script = sh`for i in 1 2 3 4 5 6; do seq 1 90000 | sed 's/$/ é🚢/'; sleep 0.05; done`;
    await runJob(world.target, testJob(testStep(), output, { script }));
    const once = Array.from({ length: 90000 }, (_, i) => `${i + 1} é🚢\n`).join('');
    assert.equal(output.flaw(), null);
    assert.ok(output.text() === once.repeat(6));
  });

  it('survives a lost attempt; the next one, of another process, goes on where the last one stopped', async () => {
    const step = testStep();
    const output = keepOutput();
    const file = base('survives');
    const job = (attempt: ReturnType<typeof testStep>) =>
      testJob(attempt, output, { script: seconds(2, file), key: jobKey(step) });
    const first = runJob(world.target, job(step));
    await until('some output', () => step.beats.length > 3);
    step.lose();
    await assert.rejects(first, /lost/);
    const known = Buffer.byteLength(output.text());
    const pid = leaderOf(jobKey(step));
    assert.ok(alive(pid));
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(Buffer.byteLength(output.text()), known, 'a lost attempt writes nothing more');
    const second = nextAttempt(step);
    const offsets: number[] = [];
    const other = world.another();
    const result = await other.runJob(world.target, {
      ...job(second),
      onOutput: async (chunk) => {
        offsets.push(chunk.offset);
        await output.write(chunk);
      },
    });
    assert.equal(result.exitCode, 0);
    assert.equal(offsets[0], known);
    assert.equal(output.text(), lines(2));
    assert.equal(output.flaw(), null);
    assert.equal(readFileSync(file, 'utf8'), 'ran\n');
  });

  it('is started by one of two attempts only; the overtaken one may not start it', async () => {
    const step = testStep();
    const file = base('once');
    const script = sh`echo ran >> ${file}; sleep 0.3`;
    const same = [1, 2, 3].map(() => runJob(world.target, testJob(step, keepOutput(), { script })));
    for (const result of await Promise.all(same)) assert.equal(result.exitCode, 0);
    assert.equal(readFileSync(file, 'utf8'), 'ran\n');
    await world.ssh.run(world.target, sh`true`, { fence: { ...step, seq: 3 } });
    await assert.rejects(
      runJob(world.target, testJob(step, keepOutput(), { script, key: `${jobKey(step)}0` })),
      kind('OperationClosed'),
    );
    assert.equal(readFileSync(file, 'utf8'), 'ran\n');
  });

  it('that was killed is Unavailable, and runs again under the next key, its output joined', async () => {
    const step = testStep();
    const key = jobKey(step);
    const output = keepOutput();
    const marker = base('killed-once');
    const script = sh`if [ -e ${marker} ]; then echo second; else touch ${marker}; echo first; sleep 63.5; fi`;
    const first = runJob(world.target, testJob(step, output, { script }));
    await until('its output', () => output.text() === 'first\n');
    process.kill(-leaderOf(key), 'SIGKILL');
    await assert.rejects(
      first,
      (error: Error) => kindOf(error) === 'Unavailable' && /died/.test(error.message),
    );
    const result = await runJob(world.target, testJob(nextAttempt(step), output, { script, key }));
    assert.deepEqual(result, { exitCode: 0, tail: 'second\n' });
    assert.equal(output.text(), 'first\nsecond\n');
    assert.equal(output.flaw(), null);
    assert.ok(existsSync(jobDirectory(`${key}.2`)));
    const whole = keepOutput();
    await runJob(
      world.target,
      testJob(testStep({ ...nextAttempt(step), lastBeat: undefined }), whole, { script, key }),
    );
    assert.equal(whole.text(), 'first\nsecond\n');
  });

  it('of another boot has died, even when its process id is in use', async () => {
    const step = testStep();
    const key = jobKey(step);
    mkdirSync(jobDirectory(key), { recursive: true });
    const write = (name: string, text: string) => writeFileSync(join(jobDirectory(key), name), text);
    write('pid', `${process.pid} 1 00000000-0000-0000-0000-000000000000 x\n`);
    write('log', 'before\n');
    write('base', '0\n');
    write('alive', '');
    const output = keepOutput();
    const result = await runJob(world.target, testJob(step, output, { script: sh`echo after` }));
    assert.deepEqual(result, { exitCode: 0, tail: 'after\n' });
    assert.equal(output.text(), 'before\nafter\n');
  });

  it('whose supervisor alone was killed does not run beside its successor', async () => {
    const step = testStep();
    const key = jobKey(step);
    const output = keepOutput();
    const file = base('beside');
    const script = sh`echo "$$" >> ${file}; if [ "$(wc -l < ${file})" = 1 ]; then sleep 64.5; fi`;
    const first = runJob(world.target, testJob(step, output, { script }));
    await until('it runs', () => existsSync(file) && readFileSync(file, 'utf8') !== '');
    process.kill(leaderOf(key), 'SIGKILL');
    await assert.rejects(first, kind('Unavailable'));
    const remains = Number(readFileSync(file, 'utf8'));
    assert.ok(alive(remains));
    await runJob(world.target, testJob(nextAttempt(step), output, { script, key }));
    assert.ok(!alive(remains));
  });

  it('with a transient exit closes its key: the next attempt runs it again', async () => {
    const step = testStep();
    const file = base('transient');
    const script = sh`echo ran >> ${file}; [ "$(wc -l < ${file})" = 2 ] || { echo 'toomanyrequests'; exit 17; }`;
    const output = keepOutput();
    const job = (attempt: typeof step) => testJob(attempt, output, { script, transient, key: jobKey(step) });
    assert.equal((await runJob(world.target, job(step))).exitCode, 17);
    assert.equal((await runJob(world.target, job(nextAttempt(step)))).exitCode, 0);
    assert.equal(readFileSync(file, 'utf8'), 'ran\nran\n');
  });

  it('that takes too long is ended, Unavailable, and runs again; the time counts from its own start', async () => {
    const step = testStep();
    const key = jobKey(step);
    const output = keepOutput();
    const script = sh`sleep 65.5`;
    const first = runJob(world.target, testJob(step, output, { script, timeoutMs: 6000 }));
    await until('it runs', () => existsSync(join(jobDirectory(key), 'pid')) && leaderOf(key) > 0);
    const pid = leaderOf(key);
    await new Promise((resolve) => setTimeout(resolve, 4500));
    step.lose();
    await assert.rejects(first, /lost/);
    const second = nextAttempt(step);
    const started = Date.now();
    await assert.rejects(
      runJob(world.target, testJob(second, output, { script, key, timeoutMs: 6000 })),
      (error: Error) => kindOf(error) === 'Unavailable' && /ended after 6 s/.test(error.message),
    );
    // what was left of its 6 s, not all of them again
    assert.ok(Date.now() - started < 5000);
    assert.ok(!alive(pid));
    const third = await runJob(
      world.target,
      testJob(nextAttempt(second), output, { script: sh`echo quick`, key }),
    );
    assert.equal(third.exitCode, 0);
  });

  it('is ended by a cancel, with its whole group, and with what it runs elsewhere', async () => {
    const step = testStep();
    const key = jobKey(step);
    const file = base('cancelled');
    const script = sh`sleep ${nap(66)} & sleep ${nap(66)}; echo never`;
    const running = runJob(
      world.target,
      testJob(step, keepOutput(), { script, onEnd: sh`echo ended >> ${file}` }),
    );
    await until(
      'it runs',
      () =>
        spawnSync('pgrep', ['-fc', `sleep ${nap(66)}`])
          .stdout.toString()
          .trim() === '2',
    );
    step.cancel();
    await assert.rejects(running, /cancelled/);
    assert.equal(spawnSync('pgrep', ['-f', `sleep ${nap(66)}`]).status, 1);
    assert.equal(readFileSync(file, 'utf8'), 'ended\n');
    assert.ok(!existsSync(join(jobDirectory(key), 'exit')));
  });

  it('that ignores the TERM is killed after the grace', async () => {
    const step = testStep();
    const script = sh`trap '' TERM; echo deaf; while :; do sleep 0.1; done`;
    const output = keepOutput();
    const running = runJob(world.target, testJob(step, output, { script }));
    await until('it runs', () => output.text() === 'deaf\n');
    const pid = leaderOf(jobKey(step));
    step.cancel();
    await assert.rejects(running, /cancelled/);
    assert.ok(!alive(pid));
    assert.equal(spawnSync('pgrep', ['-r', 'R,S,D', '-s', String(pid)]).status, 1);
  });

  it('with an error of its reader is left running', async () => {
    const step = testStep();
    const script = sh`echo x; sleep 0.5; echo done`;
    await assert.rejects(
      runJob(world.target, testJob(step, keepOutput(), { script, onOutput: broken })),
      /reader/,
    );
    const output = keepOutput();
    await runJob(world.target, testJob(nextAttempt(step), output, { script, key: jobKey(step) }));
    assert.equal(output.text(), 'x\ndone\n');
  });

  it('leaves channels for short commands, however many jobs there are', async () => {
    const jobs = Array.from({ length: 8 }, () =>
      runJob(world.target, testJob(testStep(), keepOutput(), { script: sh`sleep 4` })),
    );
    const started = performance.now();
    await world.ssh.run(world.target, sh`true`);
    assert.ok(performance.now() - started < 3500);
    for (const { exitCode } of await Promise.all(jobs)) assert.equal(exitCode, 0);
  });

  it('refuses a key that is no name', async () => {
    for (const key of ['../x', '', '-x', 'a/b', 'x y']) {
      await assert.rejects(
        runJob(world.target, testJob(testStep(), keepOutput(), { script: sh`true`, key })),
        kind('InvalidInput'),
      );
    }
  });
});

describe('a job whose processes may not be signalled', { skip: noLab }, () => {
  const host = noLab === false ? sharedHost('maria') : (undefined as never);
  const rule = '/etc/sudoers.d/deaf';
  let ssh: SshWorld['ssh'];
  before(async () => {
    ssh = createSsh({ privateKey: labPrivateKey(), settings: { endGraceMs: 500 } });
    await host.exec(`echo 'www-data ALL=(root) NOPASSWD: /bin/sh' > ${rule}; chmod 440 ${rule}`);
  });
  after(async () => {
    await ssh?.close();
    await host.exec(`rm -f ${rule}`);
  });

  it('because they run under sudo, is waited for when it is cancelled, and the step says so', async () => {
    const said: string[] = [];
    const step = testStep({ summarize: (text) => said.push(text) });
    const running = ssh.runJob(
      {
        host: host.address,
        port: host.sshPort,
        user: host.sshUser,
        hostKey: host.hostKey.fingerprint,
        // what others find on the host is not to change
        baseDir: '/tmp/sudo-job',
      },
      testJob(step, keepOutput(), { script: sh`sudo -n /bin/sh -c 'trap "" TERM; sleep 8; true'` }),
    );
    const asleep = () => host.exec('pgrep -x sleep -u root -a').then(({ stdout }) => / 8$/m.test(stdout));
    await pollUntil({
      what: 'it sleeps',
      deadlineMs: 20_000,
      probe: async () => (await asleep().catch(() => false)) || undefined,
    });
    step.cancel();
    await assert.rejects(running, /cancelled/);
    assert.equal(await asleep().catch(() => false), false, 'nobody goes on while it runs');
    assert.deepEqual(said, ['waited for processes that may not be killed (sudo?)']);
  });
});

describe('endJobs', () => {
  it('ends all tries of the step and waits, and leaves those of other steps and operations', async () => {
    const step = testStep({ step: 'build' });
    const others = [testStep({ step: 'build-2', operation: step.operation }), testStep({ step: 'build' })];
    const mine = [1, 2].map((number) => ({ ...step, try: number, signal: testStep().signal }));
    const started = [...mine, ...others].map((each) => {
      const run = runJob(world.target, testJob(each, keepOutput(), { script: sh`sleep 67.5` }));
      return run.catch((error: Error) => error);
    });
    const keys = [...mine, ...others].map((each) => jobKey(each));
    await until('all run', () =>
      keys.every((key) => existsSync(join(jobDirectory(key), 'pid')) && leaderOf(key) > 0),
    );
    const pids = keys.map(leaderOf);
    const file = base('on-end');
    await world.ssh.endJobs(world.target, { ...step, seq: 2, phase: 'undo' }, sh`echo ended >> ${file}`);
    assert.deepEqual(pids.map(alive), [false, false, true, true]);
    assert.equal(readFileSync(file, 'utf8'), 'ended\n');
    for (const each of others) await world.ssh.endJobs(world.target, { ...each, seq: 2 });
    await Promise.all(started);
    assert.deepEqual(pids.map(alive), [false, false, false, false]);
  });

  it('succeeds where nothing was ever started', async () => {
    const file = base('never');
    await world.ssh.endJobs(world.target, testStep({ phase: 'undo' }), sh`touch ${file}`);
    assert.ok(!existsSync(file));
  });

  it('signals nobody who has got the process id meanwhile', async () => {
    const step = testStep();
    const word = `sleep ${nap(8)}`;
    spawnSync('bash', ['-c', `setsid -f ${word} >/dev/null 2>&1`]);
    const found = () => Number(spawnSync('pgrep', ['-x', '-f', word]).stdout.toString());
    await until('it sleeps', () => found() > 0);
    const pid = found();
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    mkdirSync(jobDirectory(jobKey(step)), { recursive: true });
    writeFileSync(join(jobDirectory(jobKey(step)), 'pid'), `${pid} 12345 ${boot} x\n`);
    await world.ssh.endJobs(world.target, step);
    assert.ok(alive(pid));
    process.kill(pid, 'SIGKILL');
  });
});

describe('removeJobs', () => {
  it('removes what the operation left, and nothing else', async () => {
    const step = testStep();
    const neighbour = testStep();
    for (const each of [step, { ...step, try: 2 }, neighbour]) {
      await runJob(world.target, testJob(each, keepOutput(), { script: sh`true` }));
    }
    await world.ssh.removeJobs(world.target, step.operation);
    const left = readdirSync(base('slipway', 'jobs'));
    assert.deepEqual(
      left.filter((name) => name.startsWith(step.operation.toLowerCase())),
      [],
    );
    assert.ok(left.includes(jobKey(neighbour)));
    await world.ssh.removeJobs(world.target, step.operation);
    await assert.rejects(world.ssh.removeJobs(world.target, ''), kind('InvalidInput'));
  });
});

describe('removeOldJobs', () => {
  it('removes what nothing has been written to for so many days, but nothing that still runs', async () => {
    const [old, fresh, running] = [testStep(), testStep(), testStep()];
    for (const each of [old, fresh]) {
      await runJob(world.target, testJob(each, keepOutput(), { script: sh`true` }));
    }
    const attempt = new AbortController();
    const sleeper = { ...running, signal: attempt.signal };
    const followed = runJob(world.target, testJob(sleeper, keepOutput(), { script: sh`sleep 300` }));
    followed.catch(() => undefined);
    await pollUntil({
      what: 'a running job',
      deadlineMs: 10_000,
      probe: () =>
        existsSync(join(jobDirectory(jobKey(running)), 'pid')) &&
        readFileSync(join(jobDirectory(jobKey(running)), 'pid'), 'utf8').trim() !== ''
          ? true
          : undefined,
    });
    const weekAgo = new Date(Date.now() - 8 * 86_400_000);
    for (const { step } of [old, running].map((step) => ({ step: jobDirectory(jobKey(step)) }))) {
      for (const name of readdirSync(step)) utimesSync(join(step, name), weekAgo, weekAgo);
      utimesSync(step, weekAgo, weekAgo);
    }
    await world.ssh.removeOldJobs(world.target, 7);
    assert.ok(!existsSync(jobDirectory(jobKey(old))));
    assert.ok(existsSync(jobDirectory(jobKey(fresh))));
    assert.ok(existsSync(jobDirectory(jobKey(running))));
    attempt.abort();
    await world.ssh.endJobsOf(world.target, running.operation, { ...testStep(), subject: running.subject });
    await world.ssh.removeJobs(world.target, running.operation);
    assert.ok(!existsSync(jobDirectory(jobKey(running))));
  });
});

describe('a job on a disk that is full', () => {
  let full: string;
  before(() => {
    full = base('full');
    mkdirSync(full);
    assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=96k', 'tmpfs', full]).status, 0);
  });
  after(() => {
    spawnSync('umount', ['-l', full]);
    rmSync(full, { recursive: true, force: true });
  });

  it('says so when it cannot be started, and when it fails later; its end is known all the same', async () => {
    const target = { ...world.target, baseDir: full };
    const step = testStep();
    const filler = sh`sleep 0.2; dd if=/dev/zero of=${`${full}/ballast`} bs=4k 2>/dev/null || :; echo words || :; exit 5`;
    const result = await runJob(target, testJob(step, keepOutput(), { script: filler }));
    assert.equal(result.exitCode, 5);
    assert.match(result.tail, /no space left on device/i);
    const late = testStep({ ...step, try: 2 });
    await assert.rejects(
      runJob(target, testJob(late, keepOutput(), { script: sh`true` })),
      kind('CapacityExceeded'),
    );
    assert.ok(!existsSync(join(full, 'slipway', 'jobs', jobKey(late))));
    await world.ssh.endJobs(target, { ...step, phase: 'undo', seq: 2 });
    rmSync(join(full, 'ballast'));
    assert.equal(
      (await runJob(target, testJob({ ...late, seq: 3 }, keepOutput(), { script: sh`true` }))).exitCode,
      0,
    );
  });
});
