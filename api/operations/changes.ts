import type { Sql } from 'postgres';
import type { Logger } from 'pino';

/** What the records side notifies on every event of an operation; the payload is the operation's id. */
const CHANNEL = 'slipway_operation';
/** Should a notification be lost with its connection, a waiter looks again after this long. */
const LOOK_AGAIN_MS = 2_000;

export type Changes = ReturnType<typeof createChanges>;

/** One LISTEN connection for all waiting requests; opened by the first of them, reconnected by the driver. */
export function createChanges({ sql, logger }: { sql: Sql; logger: Logger }) {
  const waiters = new Map<string, Set<() => void>>();
  let listening = false;

  const listen = () => {
    if (listening) return;
    listening = true;
    sql
      .listen(CHANNEL, (operation) => {
        for (const wake of waiters.get(operation) ?? []) wake();
      })
      .catch((error: unknown) => {
        listening = false;
        logger.warn({ error: String(error) }, 'cannot listen for operation events');
      });
  };

  return {
    /** Resolves at the operation's next event, after `ms`, or after two seconds, whichever comes first. */
    async next(operation: string, ms: number): Promise<void> {
      listen();
      const waiting = waiters.get(operation) ?? new Set();
      waiters.set(operation, waiting);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, Math.max(0, Math.min(ms, LOOK_AGAIN_MS)));
        function done() {
          clearTimeout(timer);
          waiting.delete(done);
          resolve();
        }
        waiting.add(done);
      });
      if (waiting.size === 0) waiters.delete(operation);
    },
  };
}
