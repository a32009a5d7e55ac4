import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { diesWithParent } from '../process/dies-with-parent.js';
import { pollUntil } from '../process/poll.js';
import { endProcess, isAlive, processId } from '../process/process-id.js';

export const ROOT = new URL('..', import.meta.url).pathname;
/** Transpiling and bundling take some seconds, on a busy machine more. */
export const READY_MS = 60_000;
/** The worker lets what runs end by itself for up to 45 s; nothing runs when it is stopped. */
const STOP_MS = 10_000;

export interface StartProcess {
  /** of the repository, such as `api/main.ts` */
  entry: string;
  logFile: string;
  variables: Record<string, string>;
}

export interface Process {
  pid: number;
  stop(): Promise<void>;
}

/** A program of the repository in a process of its own, as its npm script runs it. */
export async function startProcess({ entry, logFile, variables }: StartProcess): Promise<Process> {
  const sink = await open(logFile, 'a');
  const command = diesWithParent('KILL', [process.execPath, '--import', 'tsx', join(ROOT, entry)]);
  const [program = '', ...args] = command;
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...variables };
  const child = spawn(program, args, { cwd: ROOT, env, stdio: ['ignore', sink.fd, sink.fd], detached: true });
  await once(child, 'spawn');
  await sink.close();
  const id = processId(child.pid as number);
  return { pid: id.pid, stop: () => endProcess(id, STOP_MS) };
}

/** Resolves when the program has written the words into its log; rejects when it ends before. */
export async function untilLogged({
  pid,
  logFile,
  words,
}: {
  pid: number;
  logFile: string;
  words: string;
}): Promise<void> {
  const id = processId(pid);
  const logged = await pollUntil({
    what: `"${words}" in ${logFile}`,
    deadlineMs: READY_MS,
    probe: async () => {
      if ((await readFile(logFile, 'utf8')).includes(words)) return 'logged' as const;
      return isAlive(id) ? undefined : ('ended' as const);
    },
  });
  if (logged === 'ended') throw new Error(`a process ended early:\n${await readFile(logFile, 'utf8')}`);
}
