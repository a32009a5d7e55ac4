import { setTimeout as sleep } from 'node:timers/promises';
import { isDatabaseAway } from '../http/errors.js';
import type { Watches } from './watches.js';

/** Comments keep proxies, which commonly close silent connections after 30 to 60 s, from doing so. */
export const COMMENT_MS = 15_000;
/** Changes come in bursts: what happens within this time is read at once, and nobody sees the difference. */
export const GATHER_MS = 50;
/** Between looks while Postgres is away. */
const AWAY_MS = 1_000;
/** A reader that takes nothing for this long is let go: it may come again with `Last-Event-ID`. */
const STALLED_MS = 60_000;
/** The same once the process stops: its drain waits for nobody who has stopped reading. */
const STALLED_AT_STOP_MS = 1_000;
/** How soon an EventSource comes again after a cut; the standard leaves it to the browser, which takes 3 to 5 s. */
const RETRY_MS = 1_000;

export interface StreamEvent {
  event: string;
  /** comes back as `Last-Event-ID` */
  id?: string;
  data: unknown;
}

export interface Look {
  events: StreamEvent[];
  /** when to look again: after so many milliseconds, if nothing changes before */
  again: 'never' | 'on change' | number;
}

interface Follow {
  watches: Watches;
  topics: string[];
  commentMs: number;
  signal: AbortSignal;
  /** what is new since the last look */
  look(): Promise<Look>;
}

/**
 * Looks, tells, waits for a change, and looks again until the end, the reader's leaving or the process's stop; null is
 * a comment. While Postgres is away it goes on waiting: an EventSource whose next request is refused would give up.
 */
export async function* follow(options: Follow): AsyncGenerator<StreamEvent | null, void> {
  const { watches, topics, commentMs, signal, look } = options;
  const watch = watches.watch(topics);
  signal.addEventListener('abort', watch.wake);
  let spokeAt = Date.now();
  try {
    while (!signal.aborted && !watches.stopping.aborted) {
      const { events, again } = await look().catch(whileAway);
      for (const event of events) yield event;
      if (events.length > 0) spokeAt = Date.now();
      if (again === 'never') return;
      if (again === 0) continue;
      const silentMs = spokeAt + commentMs - Date.now();
      await watch.next(again === 'on change' ? silentMs : Math.min(again, silentMs));
      if (Date.now() - spokeAt >= commentMs) {
        yield null;
        spokeAt = Date.now();
      } else await sleep(GATHER_MS, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    watch.end();
  }
}

function whileAway(error: unknown): Look {
  if (isDatabaseAway(error)) return { events: [], again: AWAY_MS };
  throw error;
}

export interface StreamOptions {
  source(signal: AbortSignal): AsyncGenerator<StreamEvent | null, void>;
  stopping: AbortSignal;
  failed(error: unknown): void;
  /** once, when nothing more is sent, for whatever reason */
  over(): void;
  stalledMs?: number;
}

/** Server-Sent Events. The source runs only as the reader takes them, so nothing gathers behind a slow one. */
export function streamEvents(options: StreamOptions): Response {
  const { source, stopping, failed, stalledMs = STALLED_MS } = options;
  const left = new AbortController();
  left.signal.addEventListener('abort', options.over);
  const events = source(left.signal);
  let untaken: NodeJS.Timeout | undefined;
  let drop = (): void => undefined;
  const watchStop = () => {
    if (untaken === undefined) return;
    clearTimeout(untaken);
    untaken = setTimeout(drop, STALLED_AT_STOP_MS);
  };
  const over = () => {
    clearTimeout(untaken);
    stopping.removeEventListener('abort', watchStop);
    left.abort();
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        stopping.addEventListener('abort', watchStop);
        drop = () => {
          over();
          controller.error(new Error('the reader takes nothing'));
          void events.return();
        };
        controller.enqueue(ENCODER.encode(`retry: ${RETRY_MS}\n\n`));
      },
      async pull(controller) {
        clearTimeout(untaken);
        untaken = undefined;
        try {
          const { done, value } = await events.next();
          if (left.signal.aborted) return;
          if (done === true) {
            over();
            controller.close();
            return;
          }
          controller.enqueue(ENCODER.encode(written(value)));
          untaken = setTimeout(drop, stopping.aborted ? STALLED_AT_STOP_MS : stalledMs);
        } catch (error) {
          over();
          failed(error);
          controller.error(error);
        }
      },
      async cancel() {
        over();
        await events.return();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, {
    headers: {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      // nginx would keep events back until its buffer is full
      'X-Accel-Buffering': 'no',
    },
  });
}

const ENCODER = new TextEncoder();

function written(event: StreamEvent | null): string {
  if (event === null) return ': still here\n\n';
  const id = event.id === undefined ? '' : `id: ${event.id}\n`;
  return `${id}event: ${event.event}\ndata: ${JSON.stringify(event.data)}\n\n`;
}
