import type { StepContext } from '../../workflows/contract/operation/step.js';
import type { Script } from './shell.js';

/** Where and as whom to connect. `hostKey` is the pinned `SHA256:…` fingerprint; null only while a host is looked at. */
export interface SshTarget {
  host: string;
  port: number;
  user: string;
  hostKey: string | null;
  /** parent of `slipway/` (jobs, fences) on the host, such as `/srv` */
  baseDir: string;
}

export interface RunOptions {
  /** names the command in failures, such as `the network of client42`; default: the fence's step title */
  what?: string;
  /** milliseconds until the command is given up as `Unavailable`; default 30 000 */
  timeoutMs?: number;
  /**
   * standard input of the script's commands; secrets travel here, never as arguments. It ends early when the
   * connection is cut, so a script that keeps more than 30 kB of it compares the size, as `upload` does.
   */
  input?: string | Uint8Array;
  /** default: the signal of `fence` */
  signal?: AbortSignal;
  /** keeps no more bytes per stream, of errors the first and the last half; default 1 MiB */
  maxOutputBytes?: number;
  /** when given, the script runs only if no later attempt of the subject has been on this host */
  fence?: StepContext;
}

export interface RunResult {
  exitCode: number;
  stdout: string;
  stderr: string;
  /** present when a stream was longer than `maxOutputBytes` */
  truncated?: true;
}

export interface UploadedFile {
  path: string;
  content: string | Uint8Array;
  /** octal, such as 0o640 */
  mode: number;
}

/** A file on one host that is made of what a command prints on another. */
export interface Transfer {
  from: { target: SshTarget; script: Script };
  to: { target: SshTarget; path: string };
  step: StepContext;
  /** names what is moved in failures, such as `the files of client42` */
  what: string;
  /** milliseconds for all of it */
  timeoutMs: number;
}

export interface JobOptions {
  /** start-once key on the host: `jobKey(step)` */
  key: string;
  script: Script;
  step: StepContext;
  /** standard input of the job, kept 0600 beside it until it ends */
  input?: string;
  /** milliseconds the command itself may take; then it is ended and `Unavailable` */
  timeoutMs: number;
  /** output as it appears; `offset` counts the job's bytes from 0, without gap, repeated chunks bear the same offset */
  onOutput(chunk: { offset: number; end: number; text: string }): Promise<void>;
  /** ends what the job runs inside containers, when the job itself is to be ended */
  onEnd?: Script;
  /**
   * true for an exit that an automatic retry will meet: the key is closed, so that the next attempt runs the command
   * again instead of finding the same exit. The result is returned as usual.
   */
  transient?(result: JobResult): boolean;
}

export interface JobResult {
  exitCode: number;
  /** the last 1 KiB of the output */
  tail: string;
}

/**
 * One pooled connection per host, a bounded number of channels on it. Transport failures are `Unavailable`,
 * a refused key is `Unauthorized`, a changed host key `HostKeyMismatch`; exit codes are answers, not failures.
 */
export interface Ssh {
  run(target: SshTarget, script: Script, options?: RunOptions): Promise<RunResult>;
  /** like `run`, but a non-zero exit code is `CommandFailed` (or `CapacityExceeded` when a disk is full) */
  runOk(target: SshTarget, script: Script, options?: RunOptions): Promise<RunResult>;
  /** writes beside the file and renames; directories must exist */
  upload(target: SshTarget, file: UploadedFile, options?: RunOptions): Promise<void>;
  /**
   * Streams the output of a command on one host into a file on another, fenced on both: through this process, in memory
   * no more than what is under way. The file gets its name once it is whole, by size and SHA-256; one that is cut off is
   * moved again from its beginning. Answers its size in bytes.
   */
  transfer(transfer: Transfer): Promise<number>;
  /** starts the detached command once, or finds it again, follows it to its end */
  runJob(target: SshTarget, job: JobOptions): Promise<JobResult>;
  /** ends the jobs of the same operation and step (all tries) and waits until they have ended */
  endJobs(target: SshTarget, step: StepContext, onEnd?: Script): Promise<void>;
  /** ends all jobs of another operation on behalf of `step`, which bears the fence, and waits until they have ended */
  endJobsOf(target: SshTarget, operation: string, step: StepContext): Promise<void>;
  /** removes the job directories of a closed operation */
  removeJobs(target: SshTarget, operation: string): Promise<void>;
  /** removes job directories of ended jobs that nothing has written to for so many days */
  removeOldJobs(target: SshTarget, days: number): Promise<void>;
  /** the host's fingerprint as seen now, without login */
  readHostKey(target: Omit<SshTarget, 'hostKey' | 'user' | 'baseDir'>, signal?: AbortSignal): Promise<string>;
  close(): Promise<void>;
}
