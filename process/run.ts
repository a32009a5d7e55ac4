import { spawn, type SpawnOptions } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface RunResult {
  code: number;
  stdout: string;
  stderr: string;
}

interface RunOptions extends SpawnOptions {
  input?: string | Uint8Array;
  /** false: a non-zero exit is an answer, not an error */
  check?: boolean;
  onLine?: (line: string) => void;
}

/** Runs a command to its end; throws with its last words unless it exits with 0, and with the `signal` that ended it. */
export function run(command: string, args: string[], options: RunOptions = {}): Promise<RunResult> {
  const { input, check = true, onLine, ...spawnOptions } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...spawnOptions, stdio: 'pipe' });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
    if (onLine && child.stdout && child.stderr) {
      createInterface({ input: child.stdout }).on('line', onLine);
      createInterface({ input: child.stderr }).on('line', onLine);
    }
    child.on('error', reject);
    // A command that ends without reading its input is no error of ours.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input ?? '');
    child.on('close', (status, signal) => {
      const result = {
        code: status ?? 128,
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      };
      if (result.code === 0 || !check) return resolve(result);
      const words = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-12).join('\n');
      const what = `${command} ${args.join(' ').slice(0, 200)}: ${signal ?? `exit ${status}`}`;
      reject(Object.assign(new Error(`${what}\n${words}`), { signal }));
    });
  });
}
