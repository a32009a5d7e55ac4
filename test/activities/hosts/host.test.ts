import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHosts, type HostJob } from '../../../activities/hosts/host.js';
import { sh } from '../../../activities/ssh/shell.js';
import type { JobResult, RunResult, Ssh } from '../../../activities/ssh/types.js';
import { failure, kindOf } from '../../../workflows/contract/operation/failures.js';
import type { StepContext } from '../../../workflows/contract/operation/step.js';
import { connectionsOf, emptyWorld, newOperation, serverRow, stepContext } from '../fake-connections.js';

const script = sh`true`;
const job: HostJob = { script, timeoutMs: 1_000 };

/** One server whose commands answer as told; its jobs by key, as an earlier attempt has left them. */
function hostWith(answer: Partial<RunResult & JobResult> = {}, left: string[] = []) {
  const running = new Set(left);
  const fenced: boolean[] = [];
  const world = emptyWorld();
  world.servers.set(1, serverRow({ sshHostKey: 'SHA256:x' }));
  const ssh: Partial<Ssh> = {
    run: async (_target, _script, options = {}) => {
      fenced.push(options.fence !== undefined);
      return { exitCode: 0, stdout: '', stderr: '', ...answer };
    },
    runJob: async (_target, { key, onOutput, transient }) => {
      await onOutput({ offset: 0, end: 3, text: 'out' });
      const result = { exitCode: 0, tail: '', ...answer };
      if (result.exitCode === 0 || transient?.(result) !== true) running.add(key);
      return result;
    },
    endJobs: async (_target, { operation, step }) => {
      for (const key of running)
        if (key.startsWith(`${operation}-${step}-`.toLowerCase())) running.delete(key);
    },
  };
  const hosts = createHosts(connectionsOf(world, ssh as Ssh));
  return { hosts, running, fenced, world };
}

function stepOf(over: Partial<StepContext> = {}) {
  const step = stepContext(newOperation(), over);
  return { step, key: (suffix: string) => `${step.operation}-a-step-${suffix}`.toLowerCase() };
}

test('a further try ends what the one before has left running; a first one and its attempts do not', async () => {
  const first = stepOf({ attempt: 2 });
  const kept = hostWith({}, [first.key('1')]);
  await kept.hosts.runJob(await kept.hosts.reach(1), first.step, job);
  assert.deepEqual([...kept.running], [first.key('1')]);
  const second = stepOf({ try: 2 });
  const { hosts, running, world } = hostWith({}, [second.key('1')]);
  await hosts.runJob(await hosts.reach(1), second.step, job);
  assert.deepEqual([...running], [second.key('2')]);
  assert.equal(world.output[0]?.chunk.job, second.key('2'));
});

test("an undo's job ends that of its act, and has a key of its own", async () => {
  const { step, key } = stepOf({ phase: 'undo' });
  const { hosts, running } = hostWith({}, [key('1')]);
  await hosts.runJob(await hosts.reach(1), step, job);
  assert.deepEqual([...running], [key('1-undo')]);
});

test('a job whose end is met by an automatic retry is run again under its key, one that waits for a person is not', async () => {
  const away = { exitCode: 1, tail: 'Cannot connect to the Docker daemon' };
  const refused = { exitCode: 1, tail: 'no such table' };
  const busy = () => failure('Unavailable', 'the authority is busy');
  for (const [answer, over, own, kind, kept] of [
    [away, {}, {}, 'Unavailable', 0],
    [refused, {}, {}, 'CommandFailed', 1],
    [refused, {}, { failed: busy }, 'Unavailable', 0],
    [away, {}, { failed: () => failure('CommandFailed', 'its own words') }, 'CommandFailed', 1],
    [refused, { phase: 'undo' }, {}, 'CommandFailed', 0],
  ] as const) {
    const { hosts, running } = hostWith(answer);
    const host = await hosts.reach(1);
    const { step } = stepOf(over);
    await assert.rejects(hosts.runJob(host, step, { ...job, ...own }), (error) => kindOf(error) === kind);
    assert.equal(running.size, kept);
  }
});

test('an exit is what its caller knows it to mean, else what Docker speaks of, and names step and server', async () => {
  const { hosts } = hostWith({ exitCode: 73, stderr: 'port is already allocated' });
  const host = await hosts.reach(1);
  const failed = ({ exitCode }: { exitCode: number }) =>
    exitCode === 73 ? failure('NotFound', 'known') : undefined;
  await assert.rejects(hosts.run(host, stepOf().step, script, { failed }), /known/);
  await assert.rejects(
    hosts.look(host, stepOf().step, script, { failed: () => undefined }),
    (error: Error) => {
      assert.equal(kindOf(error), 'Conflict');
      assert.match(error.message, /^a step on web-1 \(127\.0\.0\.1\): port is already allocated/);
      return true;
    },
  );
  const { exitCode } = await hosts.run(host, stepOf().step, script, { answers: [73] });
  assert.equal(exitCode, 73);
});

test('quotes its standard output only where that speaks of the failure', async () => {
  const { hosts } = hostWith({ exitCode: 1, stdout: 'No such image: x:1', stderr: 'it failed' });
  const host = await hosts.reach(1);
  const quoted = { what: 'starting it', quotesAll: true };
  await assert.rejects(
    hosts.run(host, stepOf().step, script),
    ({ message }: Error) => message.includes('it failed') && !message.includes('No such image'),
  );
  await assert.rejects(
    hosts.run(host, stepOf().step, script, quoted),
    /^.*starting it on web-1 .*: No such image/s,
  );
});

test('what changes something is behind the fence, a look is not', async () => {
  const { hosts, fenced } = hostWith();
  const host = await hosts.reach(1);
  await hosts.run(host, stepOf().step, script);
  await hosts.look(host, stepOf().step, script);
  assert.deepEqual(fenced, [true, false]);
});

test('a server without a pinned host key is not reached', async () => {
  const { hosts, world } = hostWith();
  world.servers.set(2, serverRow({ id: 2, sshHostKey: null }));
  await assert.rejects(hosts.reach(2), (error) => kindOf(error) === 'HostKeyMismatch');
});
