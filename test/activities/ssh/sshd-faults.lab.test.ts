import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { sh } from '../../../activities/ssh/shell.js';
import { pollUntil } from '../../../process/poll.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';
import { startTcpProxy } from '../../support/tcp-proxy.js';
import { openScriptedSystem } from '../../support/scripted-world.js';
import { keepOutput, nap, type SshWorld, startSshWorld, testJob, testStep } from './ssh-world.js';

const unavailable = (error: unknown) => kindOf(error) === 'Unavailable';

/** Each with an sshd of its own, with the settings that production has. */
describe('an sshd', { concurrency: true }, () => {
  async function inWorld(config: string[], use: (world: SshWorld) => Promise<void>): Promise<void> {
    const world = await startSshWorld({ config });
    try {
      await use(world);
    } finally {
      await world.stop();
    }
  }

  it('whose processes are stopped is noticed within 30 s, and a new connection goes on', () =>
    inWorld([], async (world) => {
      const step = testStep();
      const output = keepOutput();
      const begun = join(world.target.baseDir, 'begun');
      const job = world.ssh.runJob(
        world.target,
        testJob(step, output, { script: sh`echo a; sleep 2; echo b`, timeoutMs: 60_000 }),
      );
      await pollUntil({
        what: 'output',
        deadlineMs: 20_000,
        probe: () => output.text() === 'a\n' || undefined,
      });
      const running = world.ssh.run(world.target, sh`touch ${begun}; sleep ${nap(90)}; :`, {
        timeoutMs: 80_000,
      });
      await pollUntil({
        what: 'the command',
        deadlineMs: 20_000,
        probe: () => existsSync(begun) || undefined,
      });
      const stopped = world.sshd.sessions();
      assert.ok(stopped.length > 0);
      for (const pid of stopped) process.kill(pid, 'SIGSTOP');
      const began = Date.now();
      try {
        await assert.rejects(running, unavailable);
        assert.ok(Date.now() - began < 30_000, `${Date.now() - began} ms`);
        assert.deepEqual(await job, { exitCode: 0, tail: 'a\nb\n' });
        assert.equal((await world.ssh.run(world.target, sh`echo on`)).stdout, 'on\n');
      } finally {
        for (const pid of stopped) process.kill(pid, 'SIGKILL');
        await world.ssh.run(world.target, sh`pkill -x -f ${`sleep ${nap(90)}`} || true`);
      }
    }));

  it('with MaxStartups 2 serves ten workers that come at once: each gets through', () =>
    inWorld(['MaxStartups 2'], async (world) => {
      const workers = Array.from({ length: 10 }, () => world.another());
      const runs = workers.map(async (ssh, index) => {
        // as the step's own retry does
        const result = await pollUntil({
          what: `worker ${index}`,
          deadlineMs: 25_000,
          everyMs: 200,
          probe: () => ssh.run(world.target, sh`echo ${index}`),
        });
        return Number(result.stdout);
      });
      assert.deepEqual(
        await Promise.all(runs),
        workers.map((_, index) => index),
      );
    }));

  it('cut in the middle of a file: the old one is whole until the new one is, and nothing stays beside it', () =>
    inWorld([], async (world) => {
      const proxy = await startTcpProxy(world.sshd.port);
      try {
        const target = { ...world.target, port: proxy.port };
        const directory = join(world.target.baseDir, 'files');
        const path = join(directory, 'file');
        const [before, wanted] = ['old '.repeat(250_000), 'new '.repeat(1_000_000)];
        await world.ssh.run(target, sh`mkdir -p ${directory}`);
        const step = testStep();
        const put = (content: string) =>
          world.ssh.upload(target, { path, content, mode: 0o600 }, { fence: step });
        await put(before);
        for (const cutAfterMs of [5, 25, 60, 120]) {
          const upload = put(wanted);
          const cut = setTimeout(() => proxy.cut(), cutAfterMs);
          const whole = await upload.then(
            () => true,
            (error: unknown) => {
              assert.ok(unavailable(error), String(error));
              return false;
            },
          );
          clearTimeout(cut);
          const now = readFileSync(path, 'utf8');
          assert.ok(now === wanted || (!whole && now === before), `${now.length} bytes of ${wanted.length}`);
          await put(before);
        }
        await put(wanted);
        assert.equal(readFileSync(path, 'utf8'), wanted);
        assert.deepEqual(readdirSync(directory), ['file']);
      } finally {
        await proxy.close();
      }
    }));

  it('whose command says three megabytes to its errors: the hold has the end of it, the history a kilobyte', () =>
    inWorld([], async (world) => {
      const system = await openScriptedSystem();
      try {
        const run = await system.start([{ key: 'one' }], {
          faults: {
            async 'in:one'(step) {
              if (step.try > 1) return;
              const script = sh`head -c 3000000 /dev/zero | tr '\0' e >&2; echo 'the cause' >&2; exit 3`;
              await world.ssh.runOk(world.target, script, { what: 'a talkative command' });
            },
          },
        });
        const { hold } = await run.until('hold', (view) => view.hold !== null);
        assert.equal(hold?.error.kind, 'CommandFailed');
        assert.match(hold?.error.message ?? '', /^a talkative command.*the cause$/s);
        const { historySize } = await run.handle.describe();
        assert.ok((historySize ?? 0) < 20_000, `${historySize} bytes`);
        await run.handle.signal('retry', {});
        assert.equal((await run.ended()).state, 'succeeded');
      } finally {
        await system.close();
      }
    }));
});
