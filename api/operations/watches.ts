import { setMaxListeners } from 'node:events';
import type { Sql } from 'postgres';
import type { Logger } from 'pino';
import { OPERATION_CHANNEL } from '../../db/operation-channel.js';

export type Watches = ReturnType<typeof createWatches>;

/** What somebody waits for, from the moment on that it was made: a change between two waits ends the second at once. */
export interface Watch {
  /** Resolves at the next change or `wake`, or after `ms`. */
  next(ms: number): Promise<void>;
  wake(): void;
  /** lets go; without it the watch is kept for ever */
  end(): void;
}

/**
 * One LISTEN connection for all waiting requests; opened by the first of them, reconnected by the driver. When
 * `stopping` aborts, everybody is woken, so that streams and long polls end before the process does.
 */
export function createWatches({
  sql,
  logger,
  stopping = new AbortController().signal,
}: {
  sql: Sql;
  logger: Logger;
  stopping?: AbortSignal | undefined;
}) {
  const watches = new Map<string, Set<() => void>>();
  let listening = false;

  const wakeAll = () => {
    for (const waiting of watches.values()) for (const wake of waiting) wake();
  };
  // each stream listens too
  setMaxListeners(0, stopping);
  stopping.addEventListener('abort', wakeAll);

  const listen = () => {
    if (listening) return;
    listening = true;
    const heard = (topic: string) => {
      for (const wake of watches.get(topic) ?? []) wake();
    };
    // the driver listens again by itself, also after a first time that failed; what was said meanwhile is lost
    sql.listen(OPERATION_CHANNEL, heard, wakeAll).catch((error: unknown) => {
      logger.warn({ error: String(error) }, 'cannot listen for operation events yet');
    });
  };

  const watch = (topics: readonly string[]): Watch => {
    listen();
    let changed = false;
    let wakeUp: (() => void) | undefined;
    const wake = () => {
      changed = true;
      wakeUp?.();
    };
    for (const topic of topics) watches.set(topic, (watches.get(topic) ?? new Set()).add(wake));
    return {
      wake,
      async next(ms) {
        if (!changed) {
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, Math.max(0, ms));
            wakeUp = () => {
              clearTimeout(timer);
              resolve();
            };
          });
        }
        changed = false;
      },
      end() {
        for (const topic of topics) {
          const waiting = watches.get(topic);
          waiting?.delete(wake);
          if (waiting?.size === 0) watches.delete(topic);
        }
      },
    };
  };

  return {
    stopping,
    watch,
    /** Resolves at the operation's next event, or after `ms`. */
    async next(operation: string, ms: number): Promise<void> {
      const waiting = watch([operation]);
      await waiting.next(ms);
      waiting.end();
    },
    /** how many watches there are now */
    size: () => [...watches.values()].reduce((sum, waiting) => sum + waiting.size, 0),
  };
}
