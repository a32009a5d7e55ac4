import { request } from 'node:http';
import { publicKeyLine } from '../../activities/ssh/keys.js';
import { type LabHost, startLabHost } from '../../lab/host.js';
import { deliverProduct } from '../../lab/product/deliver.js';
import type { OperationView } from '../../workflows/contract/operation/operation.js';
import { census } from './census.js';
import { readClientDatabase } from './client-database.js';
import { labPrivateKey, sharedHost } from './lab.js';
import { openSystem, type System, type SystemOptions } from './system.js';

export interface MoveWorld {
  system: System;
  /** shared by the run; has the image */
  source: LabHost;
  /** the test's own; has no image */
  target: LabHost;
  sourceId: number;
  targetId: number;
  stop(): Promise<void>;
}

/** Two hosts of the same engine, registered at a system of this process. */
export async function openMoveWorld({
  hostName,
  fields = {},
  sourceFields = {},
  ...options
}: SystemOptions & {
  hostName: 'maria' | 'pg';
  /** of the target */
  fields?: Record<string, string>;
  sourceFields?: Record<string, string>;
}): Promise<MoveWorld> {
  const source = sharedHost(hostName);
  const target = await startTarget(source);
  const system = await openSystem(options);
  const sourceId = await system.addServer(source, sourceFields);
  const targetId = await system.addServer(target, fields);
  return {
    ...{ system, source, target, sourceId, targetId },
    async stop() {
      await system.close();
      await target.stop();
    },
  };
}

export async function startTarget({ sqlEngine: sql, compose, name }: LabHost): Promise<LabHost> {
  const host = await startLabHost({
    name: `to-${name}`,
    ...{ sql, compose },
    authorizedKey: publicKeyLine(labPrivateKey()),
    log: () => undefined,
  });
  await deliverProduct(host);
  return host;
}

/** Starts a move by the API; answers its operation. */
export async function startMove(
  system: System,
  { id, to, query = '' }: { id: number; to: number; query?: string },
): Promise<string> {
  const { status, body } = await system.call('GET', `/clients/${id}/move_to/${to}?${query}`);
  if (status !== 202) throw new Error(`move_to: ${status} ${JSON.stringify(body)}`);
  return (body['operation'] as unknown as { id: string }).id;
}

/** A move's own data may be large, and the machine busy. */
export function moveEnded(system: System, operation: string): Promise<OperationView> {
  return system.until(operation, 'end', ({ endedAt }) => endedAt !== null, 240_000);
}

/** Moments at which source and target both served the page itself; answered by the function that ends the watch. */
export function watchBoth(
  source: { host: LabHost; hostname: string },
  target: { host: LabHost; hostname: string },
): () => Promise<string[]> {
  const both: string[] = [];
  let over = false;
  const statusOf = ({ host, hostname }: typeof source) =>
    ask(host, hostname).then(
      ({ status }) => status,
      () => 0,
    );
  const done = (async () => {
    while (!over) {
      const [from, to] = await Promise.all([statusOf(source), statusOf(target)]);
      if (from === 200 && to === 200) both.push(new Date().toISOString());
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  })();
  return async () => {
    over = true;
    await done;
    return both;
  };
}

export interface Asked {
  status: number;
  location: string | undefined;
  text: string;
}

/** One request to a host's nginx, by the client's own name. */
export function ask(
  host: Pick<LabHost, 'address'>,
  hostname: string,
  { path = '/', method = 'GET', body = '' }: { path?: string; method?: string; body?: string } = {},
): Promise<Asked> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: host.address, path, method, headers: { host: hostname }, timeout: 5_000, agent: false },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            location: answer.headers.location,
            text: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    asked.on('timeout', () => asked.destroy(new Error('no answer in 5 s')));
    asked.on('error', reject);
    asked.end(body);
  });
}

export async function noteBodies(host: LabHost, id: number): Promise<string[]> {
  return (await readClientDatabase(host, id, 'select body from notes order by id')).map(
    ([body = '']) => body,
  );
}

/** Sums of a client's public files, by path, with owner and mode. */
export async function fileSums(host: LabHost, id: number): Promise<string> {
  const { stdout } = await host.exec(
    `cd /srv/docker/clients/client${id} && find public -type f -exec sha256sum {} + | sort -k 2 && find public -printf '%p %m %U %G\n' | sort`,
  );
  return stdout;
}

/** `running`, `exited`, … of the client's container there, or undefined. */
export async function containerState(host: LabHost, id: number): Promise<string | undefined> {
  return (await census(host)).containers.find(({ name }) => name === `client${id}`)?.state;
}
