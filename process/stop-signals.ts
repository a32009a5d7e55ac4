/** npm passes the terminal's Ctrl-C on to a process that has got it already; a person is slower than this. */
const SAME_WISH_MS = 1_000;

/**
 * Runs `close` at the first SIGINT or SIGTERM and then exits: with 0, or with 1 and one line when closing failed. A
 * second signal exits at once.
 */
export function stopOnSignals(close: () => Promise<unknown>): void {
  let since: number | undefined;
  const stop = () => {
    const now = performance.now();
    if (since !== undefined) {
      // 130 as shells say of a command that was interrupted
      if (now - since > SAME_WISH_MS) process.exit(130);
      return;
    }
    since = now;
    close().then(
      () => process.exit(0),
      (error: unknown) => exitWith(error),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

/** The end of a process that cannot go on: its cause for a person, without a stack. */
export function exitWith(error: unknown): never {
  process.stderr.write(`${describe(error)}\n`);
  process.exit(1);
}

/** A failed query says what was asked; why it failed is its cause. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}\n${describe(error.cause)}` : error.message;
}
