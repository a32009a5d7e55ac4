import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makePrivateKey } from '../../../activities/ssh/keys.js';
import { sh } from '../../../activities/ssh/shell.js';
import { createSsh } from '../../../activities/ssh/ssh.js';
import type { SshTarget } from '../../../activities/ssh/types.js';
import { freePort } from '../../../process/free-port.js';
import { pollUntil } from '../../../process/poll.js';
import { hintOf, kindOf } from '../../../workflows/contract/operation/failures.js';
import { jobKey } from '../../../workflows/contract/operation/step.js';
import { startSshd } from '../../support/sshd.js';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.js';
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
  world = await startSshWorld();
});
after(() => world.stop());

const kind = (wanted: string) => (error: unknown) => kindOf(error) === wanted;
const base = (...parts: string[]) => join(world.target.baseDir, ...parts);
const until = (what: string, probe: () => boolean) =>
  pollUntil({ what, deadlineMs: 20_000, probe: () => (probe() ? true : undefined) });
const exists = (file: string) => until(`${file} exists`, () => existsSync(file));

async function throughProxy<T>(use: (proxy: TcpProxy, target: SshTarget) => Promise<T>): Promise<T> {
  const proxy = await startTcpProxy(world.sshd.port);
  try {
    return await use(proxy, { ...world.target, port: proxy.port });
  } finally {
    await proxy.close();
  }
}

describe('logging in', () => {
  it('refuses a host with another key than the pinned one, and names both', async () => {
    const other = `SHA256:${'x'.repeat(43)}`;
    await assert.rejects(
      world.ssh.run({ ...world.target, hostKey: other }, sh`touch ${base('never')}`),
      (error: Error) => {
        assert.equal(kindOf(error), 'HostKeyMismatch');
        assert.ok(error.message.includes(other) && error.message.includes(world.sshd.hostKey), error.message);
        return true;
      },
    );
    await assert.rejects(
      world.ssh.run({ ...world.target, hostKey: null }, sh`true`),
      kind('HostKeyMismatch'),
    );
    assert.ok(!existsSync(base('never')));
  });

  it('shows the key of a host without logging in, to whoever may not', async () => {
    const stranger = createSsh({ privateKey: makePrivateKey() });
    assert.equal(await stranger.readHostKey(world.target), world.sshd.hostKey);
    await assert.rejects(
      stranger.readHostKey({ host: '127.0.0.1', port: await freePort() }),
      kind('Unavailable'),
    );
    await stranger.close();
  });

  it('with a key that the host does not know is Unauthorized, tried once, with a hint', async () => {
    await throughProxy(async (proxy, target) => {
      const stranger = createSsh({ privateKey: makePrivateKey() });
      await assert.rejects(stranger.run(target, sh`true`), (error: Error) => {
        assert.equal(kindOf(error), 'Unauthorized');
        assert.match(hintOf(error) ?? '', /authorized_keys/);
        return true;
      });
      assert.equal(proxy.accepted(), 1);
      await stranger.close();
    });
  });

  it('where nothing listens, or nobody answers, is Unavailable in bounded time', async () => {
    await assert.rejects(
      world.ssh.run({ ...world.target, port: await freePort() }, sh`true`),
      kind('Unavailable'),
    );
    await throughProxy(async (proxy, target) => {
      proxy.setMode('black-hole');
      const ssh = world.another({ connectTimeoutMs: 300 });
      const started = Date.now();
      await assert.rejects(ssh.run(target, sh`true`), kind('Unavailable'));
      await assert.rejects(ssh.readHostKey(target), kind('Unavailable'));
      assert.ok(Date.now() - started < 10_000);
    });
  });

  it('gets past connections that are dropped unheard, and many at a time share one', async () => {
    await throughProxy(async (proxy, target) => {
      proxy.setMode('refuse');
      const runs = Array.from({ length: 20 }, (_, i) => world.ssh.run(target, sh`echo ${i}`));
      await until('two drops', () => proxy.accepted() >= 2);
      proxy.setMode('pass');
      assert.deepEqual(
        (await Promise.all(runs)).map(({ stdout }) => Number(stdout)),
        Array.from({ length: 20 }, (_, i) => i),
      );
      assert.ok(proxy.accepted() <= 3);
    });
  });

  it('closes an idle connection and makes a new one when it is needed', async () => {
    await throughProxy(async (proxy, target) => {
      const ssh = world.another({ idleMs: 150 });
      await ssh.run(target, sh`true`);
      await ssh.run(target, sh`true`);
      assert.equal(proxy.accepted(), 1);
      await until('it is closed', () => proxy.connected() === 0);
      await ssh.run(target, sh`true`);
      assert.equal(proxy.accepted(), 2);
    });
  });
});

describe('a cut connection', () => {
  it('is Unavailable for what was running, and made anew for the next command', async () => {
    await throughProxy(async (proxy, target) => {
      const running = world.ssh.run(target, sh`touch ${base('cut-running')}; sleep 0.5; echo late`);
      await exists(base('cut-running'));
      proxy.cut();
      await assert.rejects(running, kind('Unavailable'));
      assert.equal((await world.ssh.run(target, sh`echo on`)).stdout, 'on\n');
      assert.equal(proxy.accepted(), 2);
    });
  });

  it('in the middle of a job: it runs once, its output has neither gap nor repetition, within one attempt', async () => {
    await throughProxy(async (proxy, target) => {
      const step = testStep();
      const output = keepOutput();
      const offsets: number[] = [];
      const script = sh`echo ran >> ${base('cut-job')}; for i in $(seq 1 30); do echo "line $i é🚢"; sleep 0.05; done`;
      const onOutput = async (chunk: { offset: number; text: string }) => {
        offsets.push(chunk.offset, chunk.offset + Buffer.byteLength(chunk.text));
        await output.write(chunk);
      };
      const running = world.ssh.runJob(target, testJob(step, output, { script, onOutput }));
      for (const seen of [3, 9, 15]) {
        await until('some output', () => output.text().split('\n').length > seen);
        proxy.cut();
      }
      assert.deepEqual(await running, { exitCode: 0, tail: output.text().slice(-1024) });
      assert.equal(output.text(), Array.from({ length: 30 }, (_, i) => `line ${i + 1} é🚢\n`).join(''));
      for (let i = 2; i < offsets.length; i += 2) assert.equal(offsets[i], offsets[i - 1]);
      assert.equal(readFileSync(base('cut-job'), 'utf8'), 'ran\n');
      assert.equal(proxy.accepted(), 4);
    });
  });

  it('in the middle of a character: it is neither lost nor doubled', async () => {
    await throughProxy(async (proxy, target) => {
      const output = keepOutput();
      const script = sh`printf 'a\303'; sleep 0.8; printf '\251b'`;
      const running = world.ssh.runJob(target, testJob(testStep(), output, { script }));
      await until('half of it', () => output.text() === 'a');
      proxy.cut();
      await running;
      assert.equal(output.text(), 'aéb');
    });
  });

  it('that stays cut makes the attempt Unavailable; the job ends by itself and the next attempt tells how', async () => {
    await throughProxy(async (proxy, target) => {
      const step = testStep();
      const output = keepOutput();
      const ssh = world.another({ reconnects: 1, connectAttempts: 1 });
      const script = sh`echo begun; sleep 1; echo ended; exit 3`;
      const running = ssh.runJob(target, testJob(step, output, { script }));
      await until('some output', () => output.text() === 'begun\n');
      proxy.setMode('refuse');
      proxy.cut();
      await assert.rejects(running, kind('Unavailable'));
      await exists(base('slipway', 'jobs', jobKey(step), 'exit'));
      proxy.setMode('pass');
      const result = await ssh.runJob(
        target,
        testJob(nextAttempt(step), output, { script, key: jobKey(step) }),
      );
      assert.equal(result.exitCode, 3);
      assert.equal(output.text(), 'begun\nended\n');
      assert.equal(output.flaw(), null);
    });
  });
});

describe('a peer that hangs', () => {
  it('is noticed by its silence, for commands and for jobs, and a new connection goes on', async () => {
    await throughProxy(async (proxy, target) => {
      // the defaults make it 27 s in the same way
      const ssh = world.another({ keepaliveIntervalMs: 150, keepaliveUnanswered: 2, connectTimeoutMs: 400 });
      const step = testStep();
      const output = keepOutput();
      const command = ssh.run(target, sh`touch ${base('hung')}; sleep ${nap(68)}; :`, { timeoutMs: 60_000 });
      const refused = assert.rejects(command, kind('Unavailable'));
      const job = ssh.runJob(target, testJob(step, output, { script: sh`echo a; sleep 1.5; echo b` }));
      await until('output', () => output.text() === 'a\n');
      await exists(base('hung'));
      const started = Date.now();
      proxy.setMode('black-hole');
      await refused;
      assert.ok(Date.now() - started < 10_000);
      proxy.setMode('pass');
      assert.equal((await job).exitCode, 0);
      assert.equal(output.text(), 'a\nb\n');
      assert.equal((await ssh.run(target, sh`echo on`)).stdout, 'on\n');
      await ssh.run(target, sh`pkill -x -f ${`sleep ${nap(68)}`}`);
    });
  });

  it('that only lives far away is no peer that hangs', async () => {
    await throughProxy(async (proxy, target) => {
      proxy.setDelay(120);
      const ssh = world.another({ keepaliveIntervalMs: 200, keepaliveUnanswered: 2 });
      assert.equal((await ssh.run(target, sh`sleep 1.2; echo on`)).stdout, 'on\n');
      assert.equal(proxy.accepted(), 1);
    });
  });
});

describe('a killed sshd', () => {
  it('takes no job with it; when it is back the same attempt goes on', async () => {
    const hostPrivateKey = makePrivateKey();
    const first = await startSshd({ privateKey: world.privateKey, hostPrivateKey });
    const ssh = world.another({ reconnects: 20 });
    const target = { ...world.target, port: first.port, hostKey: first.hostKey };
    const output = keepOutput();
    const running = ssh.runJob(
      target,
      testJob(testStep(), output, { script: sh`echo a; sleep 1.5; echo b` }),
    );
    await until('output', () => output.text() === 'a\n');
    await first.kill();
    await assert.rejects(ssh.run(target, sh`true`), kind('Unavailable'));
    const second = await startSshd({ privateKey: world.privateKey, hostPrivateKey, port: first.port });
    assert.deepEqual(await running, { exitCode: 0, tail: 'a\nb\n' });
    assert.equal(output.flaw(), null);
    await ssh.close();
    await second.stop();
  });
});
