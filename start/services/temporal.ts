import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../process/log.js';
import { diesWithParent } from '../../process/dies-with-parent.js';
import { freePort } from '../../process/free-port.js';
import { pollUntil } from '../../process/poll.js';
import { endProcess, type ProcessId, processId, sendSignal } from '../../process/process-id.js';
import { run } from '../../process/run.js';
import { ensureTemporal } from '../tools/temporal-cli.js';

export interface TemporalServer {
  address: string;
  uiUrl: string;
  pid: number;
  process: ProcessId;
  stop(): Promise<void>;
  /** as a crash: KILL, the database file stays */
  kill(): Promise<void>;
  /** on the same ports and database; also after `kill` or `stop` */
  restart(): Promise<void>;
}

interface StartTemporal {
  /** database and log; made when absent */
  dir: string;
  port?: number;
  uiPort?: number;
  log: Log;
  /** names of keyword search attributes */
  searchAttributes: string[];
  /** `key=value` pairs of the server's dynamic configuration, for tests of its limits */
  dynamic?: string[];
  /** true: outlives this process, for `up` */
  detached?: boolean;
}

/**
 * The dev server has one history shard with a limit of 20 polls a second, which costs each task 50 ms after a burst.
 * Eager: the answer to a workflow task brings its activity along, a queue's 2 ms less for each; the default since 1.32.
 */
const DYNAMIC = [
  'history.transferProcessorMaxPollRPS=5000',
  'history.timerProcessorMaxPollRPS=5000',
  'system.enableActivityEagerExecution=true',
];
/** Half the time per activity against the defaults; NORMAL loses at most the last moment of a power cut. */
const PRAGMAS = ['journal_mode=WAL', 'synchronous=NORMAL'];
/** A week of closed histories; the dev server's own 24 h are too few to look into yesterday's. */
const RETENTION = '168h';
/** It takes 2 to 3 s alone, and the machine may be busy. */
const START_MS = 30_000;
/** It flushes and leaves within a second; after this it is stuck. */
const STOP_MS = 10_000;

/** Starts the dev server on 127.0.0.1 with a database file, and answers when its default namespace serves. */
export async function startTemporal(options: StartTemporal): Promise<TemporalServer> {
  const { dir, log, searchAttributes, detached = false } = options;
  const temporal = await ensureTemporal(log);
  const port = options.port ?? (await freePort());
  const uiPort = options.uiPort ?? (await freePort());
  const address = `127.0.0.1:${port}`;
  await mkdir(dir, { recursive: true });
  const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--port', `${port}`, '--ui-port', `${uiPort}`];
  args.push('--db-filename', join(dir, 'temporal.db'), '--log-level', 'error');
  for (const value of [...DYNAMIC, ...(options.dynamic ?? [])]) args.push('--dynamic-config-value', value);
  for (const pragma of PRAGMAS) args.push('--sqlite-pragma', pragma);
  for (const name of searchAttributes) args.push('--search-attribute', `${name}=Keyword`);

  const start = async (): Promise<ProcessId> => {
    const child = await spawnLogged(temporal, args, join(dir, 'temporal.log'), detached);
    const id = processId(child.pid as number);
    const exited = new Promise<never>((_, reject) => {
      child.once('exit', (code) =>
        reject(new Error(`temporal ended with ${code}, see ${join(dir, 'temporal.log')}`)),
      );
    });
    exited.catch(() => undefined);
    try {
      await Promise.race([serving(temporal, address), exited]);
    } catch (error) {
      await endProcess(id, STOP_MS);
      throw error;
    }
    return id;
  };
  let current = await start();
  log(`temporal at ${address}, web at http://127.0.0.1:${uiPort}`);
  return {
    address,
    uiUrl: `http://127.0.0.1:${uiPort}`,
    get pid() {
      return current.pid;
    },
    get process() {
      return current;
    },
    stop: () => endProcess(current, STOP_MS),
    async kill() {
      sendSignal(current, 'SIGKILL');
      await endProcess(current, STOP_MS);
    },
    async restart() {
      await endProcess(current, STOP_MS);
      current = await start();
    },
  };
}

/** Setting the retention is the readiness check: it needs the namespace, and the namespace everything else. */
async function serving(temporal: string, address: string): Promise<void> {
  const update = ['operator', 'namespace', 'update', '--namespace', 'default', '--retention', RETENTION];
  await pollUntil({
    what: `temporal at ${address} serves`,
    deadlineMs: START_MS,
    everyMs: 100, // each try is a process of its own
    probe: async () => {
      await run(temporal, [...update, '--address', address], { timeout: START_MS });
      return true;
    },
  });
}

async function spawnLogged(
  file: string,
  args: string[],
  logFile: string,
  detached: boolean,
): Promise<ChildProcess> {
  const sink = await open(logFile, 'a');
  const command = detached ? [file, ...args] : diesWithParent('TERM', [file, ...args]);
  const [program = file, ...rest] = command;
  // A session of its own: Ctrl-C is for the owner, who stops its services in order.
  const child = spawn(program, rest, { stdio: ['ignore', sink.fd, sink.fd], detached: true });
  await once(child, 'spawn');
  await sink.close();
  if (detached) child.unref();
  return child;
}
