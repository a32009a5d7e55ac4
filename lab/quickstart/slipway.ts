import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { diesWithParent } from '../../process/dies-with-parent.js';
import { freePort } from '../../process/free-port.js';
import { pollUntil } from '../../process/poll.js';
import { endProcess, processId } from '../../process/process-id.js';

export interface RunningSlipway {
  apiUrl: string;
  uiUrl: string;
  temporalAddress: string;
  stop(): Promise<void>;
  /** rejects when it ends by itself */
  ended: Promise<never>;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Postgres, Temporal and the bundle of the workflows take 10 s on two busy cores. */
const READY_MS = 120_000;
/** The worker lets what runs end for 45 s. */
const STOP_MS = 60_000;
/** Slipway's own variables stay out: the quickstart is not a way into an installation that they may name. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'XDG_CACHE_HOME', 'GOPROXY', 'HTTPS_PROXY', 'NO_PROXY'];

/** `npm start` as a process of its own on free ports, its output in `logFile`; resolves when it is ready. */
export async function startSlipway(options: {
  dataDir: string;
  logFile: string;
  smtpUrl: string;
  /** rejects when nobody waits any more */
  interrupted: Promise<never>;
}): Promise<RunningSlipway> {
  const { dataDir, logFile, smtpUrl, interrupted } = options;
  const [api, temporal, ui, postgres] = await choosePorts();
  const env: NodeJS.ProcessEnv = {
    ...Object.fromEntries(INHERITED.map((name) => [name, process.env[name]])),
    DATA_DIR: dataDir,
    SMTP_URL: smtpUrl,
    PORT: `${api}`,
    TEMPORAL_PORT: `${temporal}`,
    TEMPORAL_UI_PORT: `${ui}`,
    POSTGRES_PORT: `${postgres}`,
  };
  const sink = await open(logFile, 'a');
  const { size: before } = await sink.stat();
  const command = [process.execPath, '--import', 'tsx', join(ROOT, 'start/main.ts')];
  const [program = 'node', ...args] = diesWithParent('TERM', command);
  // A session of its own: Ctrl-C is for the quickstart, which ends it in order.
  const child = spawn(program, args, { cwd: ROOT, env, stdio: ['ignore', sink.fd, sink.fd], detached: true });
  const exited = once(child, 'exit').then(async ([code]) => {
    throw new Error(`Slipway ended with ${code}: ${await lastWords(logFile)}`);
  });
  exited.catch(() => undefined);
  await once(child, 'spawn');
  await sink.close();
  const id = processId(child.pid as number);
  const stop = () => endProcess(id, STOP_MS);
  const apiUrl = `http://127.0.0.1:${api}`;
  try {
    await Promise.race([ready(apiUrl, { logFile, before }), exited, interrupted]);
  } catch (error) {
    await stop();
    throw error;
  }
  const uiUrl = `http://127.0.0.1:${ui}`;
  return { apiUrl, uiUrl, temporalAddress: `127.0.0.1:${temporal}`, stop, ended: exited };
}

/** The documented ports where they are free, so that addresses stay the same from run to run. */
async function choosePorts(): Promise<number[]> {
  return Promise.all([8080, 7233, 8233, 5433].map((port) => freePort(port)));
}

/** Each answer costs a process that is about to start, so it is asked only once it has said where its API is. */
function ready(apiUrl: string, log: { logFile: string; before: number }): Promise<true> {
  return pollUntil({
    what: `${apiUrl}/health/ready`,
    deadlineMs: READY_MS,
    everyMs: 50,
    probe: async () => {
      const said = (await readFile(log.logFile)).subarray(log.before).toString();
      if (!/^API /m.test(said)) return undefined;
      return (await fetch(`${apiUrl}/health/ready`)).ok ? true : undefined;
    },
  });
}

/** What was said last to a person; the rest of the log is JSON. */
async function lastWords(logFile: string): Promise<string> {
  const lines = (await readFile(logFile, 'utf8').catch(() => '')).trim().split('\n');
  return lines.findLast((line) => !line.startsWith('{')) ?? lines.at(-1) ?? '';
}
