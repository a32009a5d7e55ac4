import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Holds an exclusive lock between processes during `act`; the kernel frees it when the holder dies. */
export async function withLock<T>(file: string, act: () => Promise<T>): Promise<T> {
  // Node has no flock; util-linux has. Elsewhere two first starts at once are too rare to guard.
  if (process.platform !== 'linux') return act();
  await mkdir(dirname(file), { recursive: true });
  const holder = spawn('flock', ['-x', file, 'sh', '-c', 'echo locked; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  const ended = once(holder, 'close');
  await Promise.race([
    once(holder.stdout, 'data'),
    ended.then(() => Promise.reject(new Error(`no lock on ${file}`))),
  ]);
  try {
    return await act();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
