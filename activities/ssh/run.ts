import { randomBytes } from 'node:crypto';
import type { StepContext } from '../../workflows/contract/operation/step.js';
import { describe } from './connection.js';
import { classifyExit } from './errors.js';
import { fenced, readRefusal, refusalFailure } from './fence.js';
import type { Exec } from './exec.js';
import type { SshSettings } from './settings.js';
import { type Script, sh } from './shell.js';
import type { RunOptions, RunResult, SshTarget } from './types.js';

/** Output is for reading a state or quoting a cause; more is a job's log. */
const DEFAULT_OUTPUT_BYTES = 1024 * 1024;

export interface Runner {
  run(target: SshTarget, script: Script, options?: RunOptions): Promise<RunResult>;
  runOk(target: SshTarget, script: Script, options?: RunOptions): Promise<RunResult>;
}

export function createRunner({ exec, settings }: { exec: Exec; settings: SshSettings }): Runner {
  async function run(target: SshTarget, script: Script, options: RunOptions = {}): Promise<RunResult> {
    const {
      fence,
      input,
      maxOutputBytes = DEFAULT_OUTPUT_BYTES,
      timeoutMs = settings.runTimeoutMs,
    } = options;
    const nonce = makeNonce();
    const { baseDir } = target;
    const body = fence
      ? fenced({ baseDir, step: fence, nonce, lockWaitMs: settings.lockWaitMs }, script)
      : sh`set -eu
${script}`;
    const stdout = collect(maxOutputBytes);
    const stderr = collectEnds(maxOutputBytes);
    const exitCode = await exec({
      target,
      kind: 'command',
      script: body,
      input: input ?? '',
      timeoutMs,
      signal: options.signal ?? fence?.signal,
      onStdout: stdout.add,
      onStderr: stderr.add,
    });
    const result: RunResult = { exitCode, stdout: stdout.text(), stderr: stderr.text() };
    if (stdout.cut() || stderr.cut()) result.truncated = true;
    if (fence) throwRefusal({ nonce, result, fence, target });
    return result;
  }

  return {
    run,
    async runOk(target, script, options = {}) {
      const result = await run(target, script, options);
      if (result.exitCode === 0) return result;
      const what = options.what ?? options.fence?.title ?? 'a command';
      throw classifyExit({ command: `${what} on ${describe(target)}`, ...result });
    },
  };
}

export function makeNonce(): string {
  return `slipway-${randomBytes(9).toString('hex')}`;
}

interface Told {
  nonce: string;
  result: Pick<RunResult, 'exitCode' | 'stderr'>;
  fence: StepContext;
  target: SshTarget;
}

/** What the fence of a script has refused, as a failure; nothing when the caller's script has run. */
export function throwRefusal({ nonce, result, fence, target }: Told): void {
  const where = describe(target);
  const refusal = readRefusal(nonce, result.stderr);
  if (refusal === null) return;
  if (refusal !== 'failed') throw refusalFailure(refusal, fence, where);
  const stderr = result.stderr.replaceAll(nonce, 'fence');
  throw classifyExit({
    command: `${fence.title} on ${where}: writing ${target.baseDir}/slipway`,
    exitCode: result.exitCode,
    stderr,
  });
}

function collect(limitBytes: number) {
  const parts: Buffer[] = [];
  let size = 0;
  let cut = false;
  return {
    add(bytes: Buffer): void {
      const room = limitBytes - size;
      if (bytes.length > room) cut = true;
      const part = bytes.subarray(0, room);
      size += part.length;
      if (part.length > 0) parts.push(part);
    },
    text: () => Buffer.concat(parts).toString('utf8'),
    cut: () => cut,
  };
}

/** Its two ends: the fence speaks first, and the cause of a failure stands last. */
export function collectEnds(limitBytes: number) {
  const half = Math.floor(limitBytes / 2);
  const head = collect(half);
  let tail: Buffer = Buffer.alloc(0);
  let size = 0;
  return {
    add(bytes: Buffer): void {
      const rest = bytes.subarray(Math.max(0, half - size));
      size += bytes.length;
      head.add(bytes);
      if (rest.length > 0) tail = Buffer.concat([tail, rest]).subarray(-half);
    },
    text: () => head.text() + tail.toString('utf8'),
    cut: () => size > 2 * half,
  };
}
