import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePrivateKey } from '../../../activities/ssh/keys.js';
import type { SshSettings } from '../../../activities/ssh/settings.js';
import { createSsh } from '../../../activities/ssh/ssh.js';
import type { JobOptions, Ssh, SshTarget } from '../../../activities/ssh/types.js';
import { makeOperationId } from '../../../workflows/contract/operation/ids.js';
import { jobKey, type StepContext } from '../../../workflows/contract/operation/step.js';
import { startSshd, type TestSshd } from '../../support/sshd.js';

export interface SshWorld {
  sshd: TestSshd;
  ssh: Ssh;
  target: SshTarget;
  privateKey: string;
  /** one more layer, as another worker process would have it */
  another(settings?: Partial<SshSettings>): Ssh;
  stop(): Promise<void>;
}

/** A real sshd, a base directory of its own, and the layer under test. */
export async function startSshWorld(
  options: { settings?: Partial<SshSettings>; config?: string[] } = {},
): Promise<SshWorld> {
  const privateKey = makePrivateKey();
  const sshd = await startSshd({ privateKey, config: options.config ?? [] });
  const baseDir = mkdtempSync(join(tmpdir(), 'slipway-base-'));
  const made: Ssh[] = [];
  const another = (settings: Partial<SshSettings> = {}) => {
    const ssh = createSsh({ privateKey, settings: { ...options.settings, ...settings } });
    made.push(ssh);
    return ssh;
  };
  return {
    sshd,
    privateKey,
    ssh: another(),
    another,
    target: { host: '127.0.0.1', port: sshd.port, user: 'root', hostKey: sshd.hostKey, baseDir },
    async stop() {
      for (const ssh of made) await ssh.close();
      await sshd.stop();
      rmSync(baseDir, { recursive: true, force: true });
    },
  };
}

export interface TestStep extends StepContext {
  beats: unknown[];
  /** what a worker sees when a person cancels */
  cancel(): void;
  /** what it sees when its attempt is lost or its process shuts down */
  lose(): void;
}

/** Seconds for a sleep that only this process has: tests look for it among all processes of the machine. */
export function nap(seconds: number): string {
  return `${seconds}.${process.pid}`;
}

let steps = 0;

/** A step of a new operation on a new subject, unless said otherwise. */
export function testStep(given: Partial<StepContext> = {}): TestStep {
  steps += 1;
  const controller = new AbortController();
  let cancelled = false;
  const beats: unknown[] = [];
  return {
    operation: makeOperationId(Date.now(), Math.random),
    subject: `client:${process.pid}${steps}`,
    step: 'build-image',
    title: 'Build the image',
    phase: 'do',
    seq: 1,
    try: 1,
    attempt: 1,
    signal: controller.signal,
    lastBeat: undefined,
    cancelRequested: () => cancelled,
    beat: (details) => beats.push(details),
    summarize: () => {},
    ...given,
    beats,
    cancel: () => {
      cancelled = true;
      controller.abort(new Error('cancelled'));
    },
    lose: () => controller.abort(new Error('lost')),
  };
}

/** The attempt after `step`, as the server would start it: with what the last one said. */
export function nextAttempt(step: TestStep): TestStep {
  const { operation, subject, seq, attempt, phase } = step;
  return testStep({
    operation,
    subject,
    seq,
    phase,
    try: step.try,
    attempt: attempt + 1,
    lastBeat: step.beats.at(-1),
  });
}

export interface Output {
  /** the text as a store keyed by offset would keep it */
  text(): string;
  /** what is wrong with the order of the chunks, or null */
  flaw(): string | null;
  write(chunk: { offset: number; text: string }): Promise<void>;
}

/** Keeps chunks by offset; a gap, or a chunk that says something else than before, is a flaw. */
export function keepOutput(): Output {
  let kept = Buffer.alloc(0);
  let flaw: string | null = null;
  return {
    text: () => kept.toString(),
    flaw: () => flaw,
    write: async ({ offset, text }) => {
      const bytes = Buffer.from(text);
      if (offset > kept.length) flaw = `a gap before ${offset}, at ${kept.length}`;
      const known = kept.subarray(offset, offset + bytes.length);
      if (!known.equals(bytes.subarray(0, known.length))) flaw = `another text at ${offset}`;
      kept = Buffer.concat([kept, bytes.subarray(known.length)]);
    },
  };
}

export function testJob(
  step: TestStep,
  output: Output,
  job: Pick<JobOptions, 'script'> & Partial<JobOptions>,
): JobOptions {
  return { key: jobKey(step), step, timeoutMs: 30_000, onOutput: output.write, ...job };
}
