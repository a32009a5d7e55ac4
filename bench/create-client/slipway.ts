import { clientFields } from '../client-fields.js';
import type { LabHost } from '../../lab/host.js';
import { findOperation, listSteps } from '../../db/queries/operation-reads.js';
import type { Answer } from '../api-caller.js';
import type { Rig } from './rig.js';

export interface SlipwaySample {
  clientId: number;
  ms: number;
  /** milliseconds by step, as recorded, with what lies before, between and behind them */
  parts: Map<string, number>;
}

/** Registers the host as a server; answers its id. */
export async function addServer(
  { call, host }: Pick<Rig, 'call' | 'host'>,
  fields: Record<string, string> = {},
): Promise<number> {
  const answer = await call('POST', '/servers/', { fields: { ...serverFields(host), ...fields } });
  if (answer.status >= 300) throw new Error(`POST /servers/: ${told(answer)}`);
  return Number(answer.body['id']);
}

function serverFields(host: LabHost): Record<string, string> {
  return {
    name: host.name,
    host: host.address,
    domain: 'bench.example.test',
    ssh_host_key: host.hostKey.fingerprint,
    sql_user: host.sqlUser,
    sql_password: host.sqlPassword,
    sql_engine: host.sqlEngine,
    sql_port: String(host.sqlPort),
    client_pool: '10.213.0.0/24',
    port_range: '20000-20039',
    product: 'sample',
    tls: 'off',
  };
}

/** From before the POST until the answer that the operation has ended. */
export async function createBySlipway(
  { call, database }: Pick<Rig, 'call' | 'database'>,
  { serverId, subdomain }: { serverId: number; subdomain: string },
): Promise<SlipwaySample> {
  const fields = clientFields({ serverId, subdomain });
  const sentAt = Date.now();
  const began = performance.now();
  const answer = await call('POST', '/clients/', { fields });
  if (answer.status !== 202) throw new Error(`POST /clients/: ${told(answer)}`);
  const acceptedAt = Date.now();
  const operation = operationOf(answer);
  const state = await ended({ call }, operation);
  const ms = performance.now() - began;
  const answeredAt = Date.now();
  if (state !== 'succeeded') throw new Error(`create of ${subdomain}: ${state}`);
  const parts = await readParts({ database, operation, sentAt, acceptedAt, answeredAt });
  return { clientId: Number(answer.body['id']), ms, parts };
}

export async function removeBySlipway({ call }: Pick<Rig, 'call'>, clientId: number): Promise<void> {
  const answer = await call('DELETE', `/clients/${clientId}?keep_backup=false`);
  if (answer.status !== 202) throw new Error(`DELETE /clients/${clientId}: ${told(answer)}`);
  const state = await ended({ call }, operationOf(answer));
  if (state !== 'succeeded') throw new Error(`delete of client ${clientId}: ${state}`);
}

/** The state of its recorded end, by long polls: each is answered when something has changed since the last one. */
export async function ended({ call }: Pick<Rig, 'call'>, operation: string): Promise<string> {
  let known: Record<string, string> = {};
  for (;;) {
    const headers = { prefer: 'wait=30', ...known };
    const answer = await call('GET', `/operations/${operation}`, { headers });
    if (answer.status !== 200) throw new Error(`GET /operations/${operation}: ${told(answer)}`);
    const { source, endedAt, state, hold } = answer.body;
    // a live view may know of the end before it is on record
    if (source === 'projection' && endedAt !== null) return String(state);
    if (hold !== null) throw new Error(`operation ${operation} holds: ${JSON.stringify(hold)}`);
    known = answer.etag === null ? {} : { 'if-none-match': answer.etag };
  }
}

export function operationOf({ body }: Answer): string {
  return (body['operation'] as { id: string }).id;
}

export function told({ status, body }: Answer): string {
  return `${status} ${JSON.stringify(body)}`;
}

export const PARTS = {
  post: '(POST until accepted)',
  start: '(accepted until first step)',
  between: '(between steps)',
  end: '(last step until recorded end)',
  answer: '(recorded end until answered)',
};

interface Moments extends Pick<Rig, 'database'> {
  operation: string;
  sentAt: number;
  acceptedAt: number;
  answeredAt: number;
}

/** A step's own time is from its first record to its last: queueing and both of their commits lie between the steps. */
async function readParts(moments: Moments): Promise<Map<string, number>> {
  const { database, operation, sentAt, acceptedAt, answeredAt } = moments;
  const row = await findOperation(database.db, operation);
  if (row?.endedAt == null) throw new Error(`operation ${operation} has no end on record`);
  const steps = (await listSteps(database.db, operation)).map(({ key, startedAt, endedAt }) => {
    if (endedAt === null) throw new Error(`step ${key} has no end on record`);
    return { key, from: startedAt.getTime(), to: endedAt.getTime() };
  });
  const first = steps[0]?.from ?? sentAt;
  const last = steps.at(-1)?.to ?? sentAt;
  const inside = steps.reduce((sum, { from, to }) => sum + to - from, 0);
  return new Map([
    [PARTS.post, acceptedAt - sentAt],
    [PARTS.start, first - acceptedAt],
    ...steps.map(({ key, from, to }) => [key, to - from] as const),
    [PARTS.between, last - first - inside],
    [PARTS.end, row.endedAt.getTime() - last],
    [PARTS.answer, answeredAt - row.endedAt.getTime()],
  ]);
}
