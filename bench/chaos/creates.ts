import { setTimeout as delay } from 'node:timers/promises';
import type { Answer, Call, CallOptions } from '../api-caller.js';
import { clientFields } from '../client-fields.js';
import { operationOf, told } from '../create-client/slipway.js';

export interface Created {
  subdomain: string;
  serverId: number;
  /** null: no answer has accepted it */
  accepted: { clientId: number; operation: string } | null;
  /** the end's state; `open` without one in time */
  state: string;
  /** milliseconds from the first POST */
  ms: number;
  /** decisions of the operator */
  retries: number;
  /** of a failed one, as it says */
  cause: string;
}

type Followed = Pick<Created, 'state' | 'retries' | 'cause'>;

/** The API comes back within seconds. */
const AGAIN_MS = 500;
/** What held mostly needs something that is being started again. */
const DECIDED_MS = 5_000;
/** A lane must go on when an answer never comes. */
const ANSWER_MS = 20_000;
const POST_MS = 180_000;
/** The machine is mostly starting something again, and a create has a dozen steps. */
const DEADLINE_MS = 300_000;
/** An operator who has clicked so often gives it up, and decides for the rollback. */
const RETRIES_MAX = 5;

interface Create {
  call: Call;
  serverId: number;
  subdomain: string;
  key: string;
}

/** A client's create as a careful caller asks for it: the same POST with the same key until there is an answer. */
export async function createUnderFire({ call, serverId, subdomain, key }: Create): Promise<Created> {
  const began = performance.now();
  const fields = clientFields({ serverId, subdomain });
  const headers = { 'idempotency-key': key };
  const answer = await insist(call, 'POST', '/clients/', { fields, headers }, POST_MS);
  const elapsed = () => Math.round(performance.now() - began);
  if (answer === undefined) {
    return {
      subdomain,
      serverId,
      accepted: null,
      state: 'not accepted',
      ms: elapsed(),
      retries: 0,
      cause: '',
    };
  }
  if (answer.status !== 202 && answer.status !== 200) throw new Error(`POST /clients/: ${told(answer)}`);
  const accepted = { clientId: Number(answer.body['id']), operation: operationOf(answer) };
  const followed = await follow(call, accepted.operation);
  return { subdomain, serverId, accepted, ms: elapsed(), ...followed };
}

/** Until its end is on record; holds are tried again as often as an operator would. */
export async function follow(call: Call, operation: string): Promise<Followed> {
  const until = performance.now() + DEADLINE_MS;
  let retries = 0;
  while (performance.now() < until) {
    const answer = await insist(call, 'GET', `/operations/${operation}`, {}, until - performance.now());
    if (answer === undefined) break;
    if (answer.status === 404) return { state: 'unknown', retries, cause: '' };
    const { endedAt, state, hold, source, error } = answer.body;
    if (source === 'projection' && endedAt !== null) {
      const cause = (error as { message?: string } | null)?.message ?? '';
      return { state: String(state), retries, cause };
    }
    if (hold !== null && hold !== undefined) {
      retries += 1;
      const decision = retries > RETRIES_MAX ? 'rollback' : 'retry';
      await attempt(call, 'POST', `/operations/${operation}/${decision}`, { fields: { note: 'chaos' } });
      await delay(DECIDED_MS);
    }
    await delay(AGAIN_MS);
  }
  return { state: 'open', retries, cause: '' };
}

/** The first answer that is no excuse; undefined when there is none in time. */
async function insist(
  call: Call,
  method: string,
  path: string,
  options: CallOptions,
  deadlineMs: number,
): Promise<Answer | undefined> {
  const until = performance.now() + deadlineMs;
  do {
    const answer = await attempt(call, method, path, options);
    if (answer !== undefined && answer.status < 500 && answer.status !== 429) return answer;
    await delay(AGAIN_MS);
  } while (performance.now() < until);
  return undefined;
}

/** Undefined when nobody answers. */
async function attempt(
  call: Call,
  method: string,
  path: string,
  options: CallOptions,
): Promise<Answer | undefined> {
  const asked = call(method, path, options).catch(() => undefined);
  return Promise.race([asked, delay(ANSWER_MS, undefined, { ref: false })]);
}
