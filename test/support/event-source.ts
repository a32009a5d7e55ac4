import assert from 'node:assert/strict';
import { pollUntil } from '../../process/poll.js';

export interface Received {
  event: string;
  /** as an EventSource would send it back after this event */
  id: string | undefined;
  data: unknown;
}

/** Reads Server-Sent Events as the standard says; what it has got so far can be waited for. */
export async function readEvents(response: Response) {
  assert.equal(response.status, 200, response.status === 200 ? '' : await response.clone().text());
  const reader = response.body?.getReader();
  assert.ok(reader);
  const events: Received[] = [];
  let comments = 0;
  let broken: unknown;
  let lastId: string | undefined;

  function take(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      if (line.startsWith(':')) comments += 1;
      const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
      if (name !== undefined && value !== undefined) fields.set(name, value);
    }
    lastId = fields.get('id') ?? lastId;
    const data = fields.get('data');
    if (data !== undefined)
      events.push({ event: fields.get('event') ?? 'message', id: lastId, data: JSON.parse(data) });
  }

  const done = (async () => {
    const decoder = new TextDecoder();
    let rest = '';
    try {
      for (;;) {
        const { done: over, value } = await reader.read();
        if (over) return;
        const blocks = (rest + decoder.decode(value, { stream: true })).split('\n\n');
        rest = blocks.pop() ?? '';
        for (const block of blocks) take(block);
      }
    } catch (error) {
      broken = error;
    }
  })();

  return {
    headers: response.headers,
    events,
    comments: () => comments,
    lastId: () => lastId,
    until: (test: (events: Received[]) => boolean, deadlineMs = 10_000) =>
      pollUntil({
        what: 'events',
        deadlineMs,
        everyMs: 5,
        probe: () => {
          if (test(events)) return events;
          throw new Error(`they are ${JSON.stringify(events)}`);
        },
      }),
    /** all events, once the server has ended the stream as it should */
    async ended(deadlineMs = 10_000): Promise<Received[]> {
      const late = new Promise<'late'>((resolve) => setTimeout(resolve, deadlineMs, 'late').unref());
      if ((await Promise.race([done, late])) === 'late') assert.fail(`no end: ${JSON.stringify(events)}`);
      assert.equal(broken, undefined, 'the stream broke off');
      return events;
    },
    /** resolves when the stream is over, well or not */
    over: () => done,
    leave: () => void reader.cancel().catch(() => undefined),
  };
}
