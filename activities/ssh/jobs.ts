import { setTimeout as delay } from 'node:timers/promises';
import { failure } from '../../workflows/contract/operation/failures.js';
import { effectKey, type StepContext } from '../../workflows/contract/operation/step.js';
import { OPERATION_ID } from '../../workflows/contract/operation/ids.js';
import { describe } from './connection.js';
import { classifyExit } from './errors.js';
import type { Exec } from './exec.js';
import { type Follower, type FollowEnd, follow, isCut } from './job-follower.js';
import { createTextReader } from './job-output.js';
import { closeScript, endScript, removeOldScript, removeScript } from './job-scripts.js';
import { makeNonce, type Runner } from './run.js';
import type { SshSettings } from './settings.js';
import type { Script } from './shell.js';
import type { JobOptions, JobResult, Ssh, SshTarget } from './types.js';

export type Jobs = Pick<Ssh, 'runJob' | 'endJobs' | 'endJobsOf' | 'removeJobs' | 'removeOldJobs'>;

interface Ports {
  exec: Exec;
  runner: Runner;
  settings: SshSettings;
}

/** Names of directories: no path, no option, room for `.<run>` in the 255 bytes of a name. */
const JOB_KEY = /^[a-z0-9][a-z0-9._:-]{0,199}$/;

/** Detached commands, started once per key; `docs/contract/operations.md`, Long remote commands. */
export function createJobs(ports: Ports): Jobs {
  return {
    runJob: (target, job) => runJob(ports, target, job),
    endJobs: (target, step, onEnd) =>
      endJobs(ports, target, {
        step,
        prefix: checkKey(effectKey(step).toLowerCase()),
        rest: '^-[0-9]+(\\.[0-9]+)?$',
        onEnd,
      }),
    endJobsOf: async (target, operation, step) =>
      endJobs(ports, target, { step, prefix: prefixOf(operation), rest: '^', onEnd: undefined }),
    async removeJobs(target, operation) {
      const script = removeScript({ baseDir: target.baseDir, prefix: prefixOf(operation) });
      await ports.runner.runOk(target, script, { what: `removing the jobs of ${operation}` });
    },
    async removeOldJobs(target, days) {
      const script = removeOldScript({ baseDir: target.baseDir, days });
      await ports.runner.runOk(target, script, { what: 'removing old jobs' });
    },
  };
}

async function runJob(ports: Ports, target: SshTarget, job: JobOptions): Promise<JobResult> {
  const { step } = job;
  checkKey(job.key);
  step.signal.throwIfAborted();
  const deadline = new AbortController();
  const follower: Follower = {
    ...ports,
    target,
    job,
    reader: createTextReader(knownOffset(job)),
    run: null,
    signal: AbortSignal.any([step.signal, deadline.signal]),
    timer: null,
    expire: () => deadline.abort(),
  };
  try {
    const end = await followToEnd(follower);
    return await settle(follower, end);
  } catch (error) {
    // only a person's cancel ends the command: a lost attempt, or one whose worker stops, leaves it to the next one
    const cancelled = step.signal.aborted && step.cancelRequested();
    if (!cancelled && !deadline.signal.aborted) throw error;
    await endJobs(ports, target, { step, prefix: job.key, rest: '^(\\.[0-9]+)?$', onEnd: job.onEnd });
    if (cancelled) throw error;
    throw failure(
      'Unavailable',
      `${step.title} on ${describe(target)} was ended after ${job.timeoutMs / 1000} s`,
    );
  } finally {
    if (follower.timer) clearTimeout(follower.timer);
  }
}

/** A cut connection is made anew a few times within the attempt; whoever has seen the job goes on with it only. */
async function followToEnd(follower: Follower): Promise<FollowEnd> {
  const { reader, signal, settings } = follower;
  let fruitless = 0;
  for (;;) {
    const before = reader.offset();
    try {
      const end = await follow(follower);
      if (reader.received() >= end.size) return end;
      // the follower was ended before its last look at the log: the rest is there
      fruitless = reader.offset() > before ? 0 : fruitless + 1;
      if (fruitless > settings.reconnects)
        throw new Error(`output of ${end.size} bytes, ${reader.received()} received`);
    } catch (error) {
      if (signal.aborted || !isCut(error)) throw error;
      fruitless = reader.offset() > before ? 1 : fruitless + 1;
      if (fruitless > settings.reconnects) throw error;
      await delay(100 * 2 ** fruitless * (0.5 + Math.random()), undefined, { signal });
    }
    reader.drop();
  }
}

async function settle(follower: Follower, end: FollowEnd): Promise<JobResult> {
  const { job, target, runner, reader } = follower;
  const rest = reader.flush();
  if (rest) await job.onOutput(rest);
  if (rest) job.step.beat({ key: job.key, offset: reader.offset() });
  const result: JobResult = { exitCode: end.exitCode, tail: end.tail };
  if (end.exitCode !== 0 && job.transient?.(result)) {
    const script = closeScript({ baseDir: target.baseDir, key: job.key, run: end.run });
    await runner.runOk(target, script, { fence: job.step, what: `closing job ${job.key}` });
  }
  return result;
}

interface EndWish {
  step: StepContext;
  prefix: string;
  rest: string;
  onEnd: Script | undefined;
}

async function endJobs(
  { runner, settings }: Ports,
  target: SshTarget,
  { step, prefix, rest, onEnd }: EndWish,
) {
  const nonce = makeNonce();
  const { baseDir } = target;
  const script = endScript({ baseDir, prefix, rest, step, nonce, graceMs: settings.endGraceMs, onEnd });
  // its own signal: the attempt that ends a job is often one that was aborted
  const { signal } = new AbortController();
  const result = await runner.run(target, script, { fence: step, signal, timeoutMs: settings.endTimeoutMs });
  const waiting = 'waited for processes that may not be killed (sudo?)';
  if (result.stderr.includes(`${nonce} waiting`)) step.summarize(waiting);
  if (result.exitCode === 0) return;
  const stderr = result.stderr.replaceAll(`${nonce} waiting`, waiting);
  throw classifyExit({
    command: `ending ${step.title} on ${describe(target)}`,
    exitCode: result.exitCode,
    stderr,
  });
}

/** Where the attempt before this one stopped, when it followed the same job. */
function knownOffset({ key, step }: JobOptions): number {
  const beat = step.lastBeat;
  if (typeof beat !== 'object' || beat === null) return 0;
  const { key: seen, offset } = beat as { key?: unknown; offset?: unknown };
  return seen === key && Number.isSafeInteger(offset) && (offset as number) > 0 ? (offset as number) : 0;
}

/** What the keys of all jobs of an operation begin with. */
function prefixOf(operation: string): string {
  if (!OPERATION_ID.test(operation)) throw failure('InvalidInput', `no operation id: ${operation}`);
  return `${operation.toLowerCase()}-`;
}

function checkKey(key: string): string {
  if (!JOB_KEY.test(key)) throw failure('InvalidInput', `no name for a job: ${key}`);
  return key;
}
