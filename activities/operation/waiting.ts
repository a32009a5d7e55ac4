import { CancelledFailure, Context } from '@temporalio/activity';
import { failure } from '../../workflows/contract/operation/failures.js';

/** Three in a heartbeat timeout of 10 s: two lost ones are survived. */
const BEAT_EVERY_MS = 3_000;
/** Then the place is free for the next of those who wait: nobody waits for ever for a place to wait in. */
const TURN_MS = 60_000;

/**
 * Looks again and again until there is an answer. A turn that ends without one fails as `Unavailable` and comes back by
 * Temporal's retry, which costs no history; so does one whose worker stops.
 */
export async function lookUntil<Answer>(
  look: () => Promise<Answer | undefined>,
  everyMs: number,
): Promise<Answer> {
  const context = Context.current();
  const turnEnds = Date.now() + TURN_MS;
  const beat = setInterval(() => context.heartbeat(), BEAT_EVERY_MS);
  context.heartbeat();
  try {
    for (;;) {
      const answer = await look();
      if (answer !== undefined) return answer;
      if (Date.now() > turnEnds) throw failure('Unavailable', 'still waiting', { retryAfterMs: 1 });
      await context.sleep(everyMs);
    }
  } catch (thrown) {
    const left = thrown instanceof CancelledFailure && context.cancellationDetails?.cancelRequested !== true;
    throw left ? failure('Unavailable', 'the worker of this wait stops; another goes on') : thrown;
  } finally {
    clearInterval(beat);
  }
}
