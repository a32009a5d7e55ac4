import { connect, type Socket } from 'node:net';
import { quantile } from '../figures.js';

export interface Job {
  port: number;
  /** whole requests, sent in turn; `{n}` is a number of six digits that no other request has */
  request: string;
  status: number;
  connections: number;
  forMs: number;
  /** of the first request's `{n}` */
  from: number;
}

export interface Load {
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** where the next job goes on */
  next: number;
}

/** So many connections that are kept, each with one request at a time. Throws at any other status. */
async function load(job: Job): Promise<Load> {
  let next = job.from;
  const times: number[] = [];
  const began = performance.now();
  const end = began + job.forMs;
  const one = async () => {
    const connection = await open(job.port);
    while (performance.now() < end) {
      const request = job.request.replaceAll('{n}', String(next++).padStart(6, '0'));
      const sent = performance.now();
      await connection.ask(request, job.status);
      times.push(performance.now() - sent);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: job.connections }, one));
  const seconds = (performance.now() - began) / 1000;
  return {
    requestsPerSecond: times.length / seconds,
    p50Ms: quantile(times, 0.5),
    p99Ms: quantile(times, 0.99),
    next,
  };
}

interface KeptConnection {
  ask(request: string, status: number): Promise<void>;
  close(): void;
}

/** Knows just enough of HTTP that the generator's own time stays small: answers have a Content-Length. */
async function open(port: number): Promise<KeptConnection> {
  const socket: Socket = connect({ host: '127.0.0.1', port, noDelay: true });
  let received = Buffer.alloc(0);
  let waiting: { resolve(): void; reject(error: Error): void; status: number } | undefined;
  socket.on('data', (bytes) => {
    received = received.length === 0 ? bytes : Buffer.concat([received, bytes]);
    const headEnd = received.indexOf('\r\n\r\n');
    if (headEnd < 0 || waiting === undefined) return;
    const head = received.toString('latin1', 0, headEnd);
    const length = /^content-length: (\d+)$/im.exec(head)?.[1];
    if (length === undefined) return waiting.reject(new Error(`an answer without Content-Length: ${head}`));
    if (received.length < headEnd + 4 + Number(length)) return;
    const { resolve, reject, status } = waiting;
    waiting = undefined;
    const answer = received.toString('utf8', headEnd + 4);
    received = Buffer.alloc(0);
    if (head.startsWith(`HTTP/1.1 ${status} `)) resolve();
    else reject(new Error(`${head.split('\r\n')[0]}: ${answer}`));
  });
  socket.on('error', (error) => waiting?.reject(error));
  socket.on('close', () => waiting?.reject(new Error('the connection was closed')));
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return {
    ask: (request, status) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject, status };
        socket.write(request);
      }),
    close: () => socket.destroy(),
  };
}

process.on('message', (job: Job) => {
  load(job).then(
    (done) => process.send?.({ done }),
    (error: Error) => process.send?.({ failed: error.message }),
  );
});
