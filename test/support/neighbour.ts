import { get } from 'node:http';

/** One page through nginx on a host, by the client's own name. `fetch` would replace the Host header. */
export function getPage({
  address,
  hostname,
  path = '/',
}: {
  address: string;
  hostname: string;
  path?: string;
}) {
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const request = get(
      { host: address, path, headers: { host: hostname }, timeout: 5_000, agent: false },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
        );
      },
    );
    request.on('timeout', () => request.destroy(new Error('no answer in 5 s')));
    request.on('error', reject);
  });
}

export interface Watch {
  /** every answer that was not 200, until now */
  disturbances(): string[];
  asked(): number;
  stop(): Promise<void>;
}

/** Asks a client's page again and again: another operation on the same host must never disturb it. */
export function watchNeighbour(place: { address: string; hostname: string }): Watch {
  const bad: string[] = [];
  let asked = 0;
  let stopped = false;
  const done = (async () => {
    while (!stopped) {
      asked += 1;
      const found = await getPage(place).catch((error: Error) => ({ status: 0, text: error.message }));
      if (found.status !== 200)
        bad.push(`${new Date().toISOString()} ${found.status} ${found.text.slice(0, 80)}`);
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
  })();
  return {
    disturbances: () => bad,
    asked: () => asked,
    async stop() {
      stopped = true;
      await done;
    },
  };
}
