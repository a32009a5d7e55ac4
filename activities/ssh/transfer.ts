import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { failure } from '../../workflows/contract/operation/failures.js';
import { describe } from './connection.js';
import { classifyExit } from './errors.js';
import type { Exec } from './exec.js';
import { fenced } from './fence.js';
import { collectEnds, makeNonce, type Runner, throwRefusal } from './run.js';
import type { SshSettings } from './settings.js';
import { type Script, sh } from './shell.js';
import type { SshTarget, Transfer } from './types.js';

interface Ports {
  exec: Exec;
  runner: Runner;
  settings: SshSettings;
}

/** Room for the fence's own words and the cause of a failure. */
const SAID_BYTES = 16 * 1024;

/** See `Ssh.transfer`. The reader's pace is the writer's: nothing is read that has not been taken at the other end. */
export async function transfer(ports: Ports, wish: Transfer): Promise<number> {
  const { to, step, what, timeoutMs } = wish;
  if (!posix.isAbsolute(to.path) || to.path.endsWith('/'))
    throw failure('InvalidInput', `not the absolute path of a file: ${to.path}`);
  const sent = await pour(ports, wish);
  const { exitCode, stderr } = await ports.runner.run(to.target, nameScript(to.path, sent), {
    fence: step,
    timeoutMs,
  });
  if (exitCode === CUT_SHORT_EXIT) throw failure('Unavailable', `${what}: ${stderr.trim()}`);
  if (exitCode !== 0) throw classifyExit({ command: `${what} on ${describe(to.target)}`, exitCode, stderr });
  return sent.sizeBytes;
}

interface Sent {
  sizeBytes: number;
  sha256: string;
}

async function pour(ports: Ports, { from, to, step, what, timeoutMs }: Transfer): Promise<Sent> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const over = new AbortController();
  const watch = watchFlow(ports.settings.stallMs, () =>
    over.abort(failure('Unavailable', `${what}: nothing came for ${ports.settings.stallMs / 1000} s`)),
  );
  const signal = AbortSignal.any([step.signal, over.signal]);
  const common = { ports, step, what, timeoutMs, signal };
  const read = (write: (bytes: Buffer) => Promise<void>) =>
    runEnd({
      ...common,
      target: from.target,
      script: from.script,
      async onStdout(bytes) {
        hash.update(bytes);
        sizeBytes += bytes.length;
        await write(bytes);
        watch.flows();
      },
    });
  try {
    await runEnd({ ...common, target: to.target, script: takeScript(to.path), feed: read });
  } finally {
    watch.end();
    // whatever ended the one end, the other is not left waiting for it
    over.abort(new Error('the transfer is over'));
  }
  return { sizeBytes, sha256: hash.digest('hex') };
}

interface End {
  ports: Ports;
  target: SshTarget;
  script: Script;
  step: Transfer['step'];
  what: string;
  timeoutMs: number;
  signal: AbortSignal;
  feed?(write: (bytes: Buffer) => Promise<void>): Promise<void>;
  onStdout?(bytes: Buffer): Promise<void>;
}

async function runEnd({ ports, target, script, step, what, feed, onStdout, ...rest }: End): Promise<void> {
  const { exec, settings } = ports;
  const nonce = makeNonce();
  const said = collectEnds(SAID_BYTES);
  const exitCode = await exec({
    ...rest,
    target,
    // it stays for as long as a follower of a job
    kind: 'follower',
    script: fenced({ baseDir: target.baseDir, step, nonce, lockWaitMs: settings.lockWaitMs }, script),
    input: '',
    ...(feed === undefined ? {} : { feed }),
    onStdout: onStdout ?? (() => undefined),
    onStderr: said.add,
  });
  const result = { exitCode, stderr: said.text() };
  throwRefusal({ nonce, result, fence: step, target });
  if (exitCode !== 0) throw classifyExit({ command: `${what} on ${describe(target)}`, ...result });
}

function watchFlow(stallMs: number, onStall: () => void) {
  const timer = setTimeout(onStall, stallMs);
  return { flows: () => void timer.refresh(), end: () => clearTimeout(timer) };
}

/** Input also ends when a connection is cut, so that nothing gets the final name here. */
function takeScript(path: string): Script {
  return sh`umask 077
mkdir -p -- ${posix.dirname(path)}
cat > ${`${path}.partial`}`;
}

/** Away from the exit codes of shells and of sysexits. */
const CUT_SHORT_EXIT = 90;

function nameScript(path: string, { sizeBytes, sha256 }: Sent): Script {
  return sh`made=${`${path}.partial`} path=${path}
size=$(stat -c %s -- "$made")
[ "$size" = ${sizeBytes} ] || { echo "$size of "${sizeBytes}' bytes have arrived' >&2; exit ${CUT_SHORT_EXIT}; }
[ "$(sha256sum < "$made")" = ${`${sha256}  -`} ] || { echo 'other bytes have arrived than were sent' >&2; exit ${CUT_SHORT_EXIT}; }
mv -fT -- "$made" "$path"`;
}
