import { failure, kindOf } from '../../workflows/contract/operation/failures.js';
import { describe } from './connection.js';
import { classifyExit } from './errors.js';
import type { Exec } from './exec.js';
import { type Refusal, refusalFailure } from './fence.js';
import type { createTextReader } from './job-output.js';
import { followScript } from './job-scripts.js';
import { makeNonce, type Runner } from './run.js';
import type { SshSettings } from './settings.js';
import type { JobOptions, SshTarget } from './types.js';

export interface Follower {
  exec: Exec;
  runner: Runner;
  settings: SshSettings;
  target: SshTarget;
  job: JobOptions;
  reader: ReturnType<typeof createTextReader>;
  /** which run of the key this attempt has seen: that one is not started again */
  run: number | null;
  signal: AbortSignal;
  /** until the command has taken too long */
  timer: NodeJS.Timeout | null;
  expire(): void;
}

export interface FollowEnd {
  exitCode: number;
  tail: string;
  /** 1 for the key itself, n for `<key>.n` */
  run: number;
  /** bytes of output of all runs of the key */
  size: number;
}

const answers = new WeakSet<object>();

/** Marks a failure that the host or the caller has answered with: it is not mistaken for a cut connection. */
function answered<E>(error: E): E {
  if (typeof error === 'object' && error !== null) answers.add(error);
  return error;
}

export function isCut(error: unknown): boolean {
  return kindOf(error) === 'Unavailable' && !answers.has(error as object);
}

/** One exec: starts the job or finds it, hands on its output from where the reader stands, to its end. */
export async function follow(follower: Follower): Promise<FollowEnd> {
  const { exec, settings, target, job, reader, signal } = follower;
  const nonce = makeNonce();
  const script = followScript({
    baseDir: target.baseDir,
    key: job.key,
    step: job.step,
    nonce,
    lockWaitMs: settings.lockWaitMs,
    script: job.script,
    inputBytes: job.input === undefined ? null : Buffer.byteLength(job.input),
    offset: reader.offset(),
    attached: follower.run,
  });
  let said = Buffer.alloc(0);
  const exitCode = await exec({
    target,
    kind: 'follower',
    script,
    input: job.input ?? '',
    signal,
    onStdout: (bytes) => handOn(follower, bytes),
    onStderr: (bytes) => {
      said = Buffer.concat([said, bytes]).subarray(0, SAID_BYTES);
      if (follower.timer === null) noticeStart(follower, said.toString('utf8'), nonce);
    },
  });
  return readEnd({ job, target, nonce, said: said.toString('utf8'), exitCode });
}

/** Our own words, a cause from a shell, and the tail of the log. */
const SAID_BYTES = 16 * 1024;

async function handOn({ job, reader, signal }: Follower, bytes: Buffer): Promise<void> {
  const piece = reader.read(bytes);
  if (piece === null) return;
  try {
    await job.onOutput(piece);
  } catch (error) {
    throw answered(error);
  }
  if (!signal.aborted) job.step.beat({ key: job.key, offset: reader.offset() });
}

/** What is left of the command's time counts from its own start, however many attempts have followed it. */
function noticeStart(follower: Follower, said: string, nonce: string): void {
  const start = new RegExp(`^${nonce} job (\\d+) (-?\\d+)$`, 'm').exec(said);
  if (!start) return;
  follower.run = Number(start[1]);
  const ageMs = Number(start[2]) * TICK_MS;
  follower.timer = setTimeout(follower.expire, Math.max(0, follower.job.timeoutMs - ageMs));
}

/** /proc counts in hundredths of a second on every Linux (USER_HZ). */
const TICK_MS = 10;

interface Ending {
  job: JobOptions;
  target: SshTarget;
  nonce: string;
  said: string;
  exitCode: number;
}

function readEnd({ job, target, nonce, said, exitCode }: Ending): FollowEnd {
  const where = describe(target);
  const end = new RegExp(
    `^${nonce} job (\\d+) .*\\n(?:.*\\n)*?${nonce} exit (\\d+) (\\d+) (\\d+)\\n([^]*)`,
    'm',
  ).exec(said);
  if (end) {
    const full = end[3] === '0' ? `\n(the disk of ${where} is full: no space left on device)` : '';
    return {
      run: Number(end[1]),
      exitCode: Number(end[2]),
      size: Number(end[4]),
      tail: (end[5] ?? '') + full,
    };
  }
  const word = new RegExp(`^${nonce} (closed|busy|failed|died)$`, 'm').exec(said)?.[1];
  if (word === 'closed' || word === 'busy')
    throw answered(refusalFailure(word satisfies Refusal, job.step, where));
  if (word === 'died') {
    throw answered(
      failure('Unavailable', `${job.step.title} on ${where} died without an exit code`, {
        hint: 'the host was restarted, or its process was killed; the next attempt runs it again',
      }),
    );
  }
  const stderr = said.replaceAll(nonce, 'job').trim();
  const command = `${job.step.title} on ${where}: writing ${target.baseDir}/slipway/jobs`;
  throw answered(classifyExit({ command, exitCode, stderr }));
}
