import { request } from 'node:http';
import { failure } from '../../workflows/contract/operation/failures.js';

/** A healthy client answers in milliseconds; nginx itself gives up on a hung one after a minute. */
const OUTSIDE_TIMEOUT_MS = 15_000;

export interface Question {
  host: string;
  hostname: string;
  path: string;
  signal: AbortSignal;
  /** milliseconds; default 15 000 */
  timeoutMs?: number;
}

/** The status that `host` answers on port 80 for `hostname`; `Unavailable` when it does not answer. */
export function askFrom({
  host,
  hostname,
  path,
  signal,
  timeoutMs = OUTSIDE_TIMEOUT_MS,
}: Question): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host,
        port: 80,
        path,
        headers: { host: hostname, connection: 'close' },
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    );
    asked.on('error', (error) => {
      if (signal.aborted) reject(signal.reason as Error);
      else
        reject(
          failure('Unavailable', `nginx at ${host}:80 does not answer for ${hostname}: ${error.message}`),
        );
    });
    asked.end();
  });
}
