import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { diesWithParent } from '../process/dies-with-parent.js';
import { pollUntil } from '../process/poll.js';
import { endProcess, processId } from '../process/process-id.js';
import { READY_MS, ROOT, type StartProcess } from './processes.js';

export interface Supervised {
  /** -9; answers the moment of it, and starts another one */
  kill(): number;
  /** once the present one has said its words */
  ready(deadlineMs?: number): Promise<void>;
  stop(): Promise<void>;
}

interface Supervise extends StartProcess {
  /** in its log, when it works */
  words: string;
}

/** As systemd waits by default before it starts a service again. */
const RESTART_MS = 100;
/** The worker lets what runs end by itself for up to 45 s; nothing runs when it is stopped. */
const STOP_MS = 10_000;

/** A program of Slipway as a process of its own, run from its source as in production, started again whenever it dies. */
export async function supervise({ entry, logFile, variables, words }: Supervise): Promise<Supervised> {
  const sink = openSync(logFile, 'a');
  const command = diesWithParent('KILL', [process.execPath, '--import', 'tsx', join(ROOT, entry)]);
  const [program = '', ...args] = command;
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...variables };
  let stopped = false;
  let restart: NodeJS.Timeout | undefined;

  let from = 0;

  function start(): ChildProcess {
    from = fstatSync(sink).size;
    const started = spawn(program, args, { cwd: ROOT, env, stdio: ['ignore', sink, sink], detached: true });
    started.once('exit', () => {
      if (!stopped) restart = setTimeout(() => (child = start()), RESTART_MS);
    });
    return started;
  }
  let child = start();
  await once(child, 'spawn');

  return {
    kill() {
      child.kill('SIGKILL');
      from = fstatSync(sink).size;
      return Date.now();
    },
    async ready(deadlineMs = READY_MS) {
      await pollUntil({
        what: `"${words}" in ${logFile}`,
        deadlineMs,
        everyMs: 100, // the log grows by every request
        probe: async () => (await readFile(logFile)).subarray(from).includes(words) || undefined,
      });
    },
    async stop() {
      stopped = true;
      clearTimeout(restart);
      if (child.pid !== undefined) await endProcess(processId(child.pid), STOP_MS);
      closeSync(sink);
    },
  };
}
