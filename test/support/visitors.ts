import { request } from 'node:http';
import { getPage } from './neighbour.js';

export interface Visitors {
  /** notes that the client has confirmed, whatever becomes of it later */
  confirmed(): string[];
  /** distinct pages that were seen since `forget`, such as `1.3-master` or `503` */
  seen(): string[];
  forget(): void;
  /** resolves once so many more notes were confirmed */
  written(notes: number): Promise<void>;
  stop(): Promise<void>;
}

/** The machine has more to do than to serve them. */
const EVERY_MS = 250;
/** A container that is stopped in the middle of a request answers nothing. */
const TIMEOUT_MS = 5_000;

/** People who write notes into a client and look at its page all the time. */
export function startVisitors(place: { address: string; hostname: string }): Visitors {
  const confirmed: string[] = [];
  const waiting = new Set<{ at: number; tell(): void }>();
  let seen = new Set<string>();
  let stopped = false;
  let number = 0;

  async function write(): Promise<void> {
    number += 1;
    const body = `note ${number} of ${place.hostname}`;
    if ((await post({ ...place, path: '/notes', body })) !== 201) return;
    confirmed.push(body);
    for (const entry of waiting) {
      if (confirmed.length < entry.at) continue;
      waiting.delete(entry);
      entry.tell();
    }
  }

  async function look(): Promise<void> {
    const { status, text } = await getPage(place).catch(() => ({ status: 0, text: '' }));
    const [, version] = /Version ([^<]*)</.exec(text) ?? [];
    seen.add(status === 200 ? (version ?? text) : String(status));
  }

  const done = (async () => {
    while (!stopped) {
      await Promise.all([write(), look()]);
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  })();

  return {
    confirmed: () => [...confirmed],
    seen: () => [...seen].sort(),
    forget: () => void (seen = new Set()),
    written: (notes) =>
      new Promise((resolve) => waiting.add({ at: confirmed.length + notes, tell: resolve })),
    async stop() {
      stopped = true;
      await done;
    },
  };
}

function post({ address, hostname, path, body }: Record<'address' | 'hostname' | 'path' | 'body', string>) {
  return new Promise<number>((resolve) => {
    const asked = request(
      { host: address, path, method: 'POST', headers: { host: hostname }, timeout: TIMEOUT_MS, agent: false },
      (answer) => {
        answer.resume();
        answer.on('end', () => resolve(answer.statusCode ?? 0));
        answer.on('error', () => resolve(0));
      },
    );
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(0));
    asked.end(body);
  });
}
