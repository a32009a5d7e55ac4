import { endCommands } from './command-group.js';

/** What runs and must be ended, in this order. */
export const closers: (() => Promise<unknown>)[] = [];
export const interrupted = new AbortController();

type Stoppable = { stop(): Promise<unknown> };

export function keep<T extends Stoppable>(starting: Promise<T>): Promise<T> {
  return noted(starting, (started) => void closers.push(() => started.stop()));
}

/** Ended before what it works on: a step that runs can end, instead of waiting for a host that is gone. */
export function keepFirst<T extends Stoppable>(starting: Promise<T>): Promise<T> {
  return noted(starting, (started) => void closers.unshift(() => started.stop()));
}

function noted<T>(starting: Promise<T>, note: (started: T) => void): Promise<T> {
  starts.push(starting.then(note, () => undefined));
  return starting;
}

/** Starts that are on their way: the closers are complete once these are settled. */
const starts: Promise<void>[] = [];

export function aborted(): Promise<never> {
  const { signal } = interrupted;
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

export async function endEverything(): Promise<void> {
  await Promise.all(starts);
  for (const close of closers) {
    await close().catch((error: unknown) => console.log(`clean-up: ${String(error)}`));
  }
}

/** A terminal's Ctrl-C comes twice, from the terminal and through npm: only the first counts. */
export function interrupt(): void {
  if (interrupted.signal.aborted) return;
  console.log('\nEnding everything…');
  interrupted.abort(new Error('interrupted'));
  endCommands();
}
