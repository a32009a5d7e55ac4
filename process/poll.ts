import { setTimeout as delay } from 'node:timers/promises';

interface Poll<T> {
  what: string;
  deadlineMs: number;
  /** 25 ms by default: unseen beside what is waited for, and cheap for a connect or a file look-up. */
  everyMs?: number;
  probe: () => Promise<T | undefined> | T | undefined;
}

/** Asks until the probe answers something; a throw means "not yet", and the last one is told at the deadline. */
export async function pollUntil<T>({ what, deadlineMs, everyMs = 25, probe }: Poll<T>): Promise<T> {
  const end = performance.now() + deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await probe();
      if (answer !== undefined) return answer;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) {
      throw new Error(`${what}: not within ${deadlineMs} ms`, last === undefined ? {} : { cause: last });
    }
    await delay(everyMs);
  }
}
