import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Db } from '../../../db/database.js';
import { listOverdueSources } from '../../../db/queries/client-places.js';
import type { RemoveKeptSourceParams } from '../../../workflows/contract/clients/clients.js';

export type OverdueSources = ReturnType<typeof createOverdueSources>;

/** What the night removes of moves. */
export function createOverdueSources(db: Db) {
  return {
    /**
     * Kept sources of moves whose time is over. One stays for as long as visitors of the client's present name are still
     * led to it by DNS: its nginx passes them on.
     */
    async listOverdueSources({ limit }: { limit: number }): Promise<RemoveKeptSourceParams[]> {
      const sources = await listOverdueSources(db, { now: new Date(), limit });
      const needed = await Promise.all(
        sources.map(async ({ hostname, sameName, host }) => sameName && (await leadsTo(hostname, host))),
      );
      return sources
        .filter((_, index) => needed[index] !== true)
        .map(({ clientId, serverId }) => ({ clientId, serverId }));
    },
  };
}

/** Nobody waits at night, but a hundred names must not take an hour. */
const DNS_TIMEOUT_MS = 3_000;

async function leadsTo(hostname: string, host: string): Promise<boolean> {
  const resolver = new Resolver({ timeout: DNS_TIMEOUT_MS, tries: 1 });
  const addressesOf = async (name: string) => {
    const found = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    return found.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  };
  const theirs = isIP(host) === 0 ? await addressesOf(host) : [host];
  return (await addressesOf(hostname)).some((address) => theirs.includes(address));
}
