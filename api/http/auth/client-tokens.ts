import { createHash, timingSafeEqual } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Db } from '../../../db/database.js';
import { type ClientRow, findSubdomainHolder } from '../../../db/queries/clients.js';
import type { Secrets } from '../../../db/secrets.js';
import { Problem } from '../problem.js';

/** Longer than what a right token makes Slipway look up on the client's own SQL server, which takes milliseconds. */
const REFUSAL_MS = 700;

/** The same for every cause, and `began` makes it take the same time. */
export async function refuseUpdate(began: number): Promise<Problem> {
  await sleep(Math.max(0, began + REFUSAL_MS - performance.now()));
  return new Problem('update_refused', { detail: 'Only to a released version, by the client itself' });
}

/**
 * The client that has the subdomain, when the token is its own: that of its `.env`
 * (`docs/contract/clients.md`, Changing a client).
 */
export async function findClientByToken(
  { db, secrets }: { db: Db; secrets: Pick<Secrets, 'reveal'> },
  { subdomain, token }: { subdomain: string; token: string },
): Promise<ClientRow | undefined> {
  const client = await findSubdomainHolder(db, subdomain);
  const own = client?.names ? await secrets.reveal(db, client.names.secrets.clientToken) : undefined;
  // compared in any case, and as digests of one length
  const same = timingSafeEqual(digestOf(own ?? ''), digestOf(token));
  return same && own !== undefined ? client : undefined;
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
