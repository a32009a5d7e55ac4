import { request } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Readable } from 'node:stream';

interface DockerRequest {
  socket: string;
  method?: 'GET' | 'POST';
  path: string;
  body?: Readable;
  /** 30 s: answers are quick, a load of some hundred megabytes is not */
  timeoutMs?: number;
}

/** One request to a Docker engine's socket; answers the body, throws on any status from 400 on. */
export function askDocker({
  socket,
  method = 'GET',
  path,
  body,
  timeoutMs = 30_000,
}: DockerRequest): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { host: 'docker', ...(body ? { 'content-type': 'application/x-tar' } : {}) };
    const signal = AbortSignal.timeout(timeoutMs);
    const ask = request({ socketPath: socket, method, path, headers, signal }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if ((response.statusCode ?? 500) < 400) return resolve(text);
        reject(new Error(`docker ${method} ${path}: ${response.statusCode} ${text.trim()}`));
      });
    });
    ask.on('error', reject);
    if (body) pipeline(body, ask).catch(reject);
    else ask.end();
  });
}
