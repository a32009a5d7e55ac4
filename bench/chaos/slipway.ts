import { eq } from 'drizzle-orm';
import type { ClientStatus } from '../../workflows/contract/clients/statuses.js';
import { clients, operations } from '../../db/schema/index.js';
import { log } from '../benchmark.js';
import type { Rig } from '../create-client/rig.js';
import { type Created, createUnderFire, follow } from './creates.js';
import { type Killer, startKiller } from './killer.js';
import { inLanes } from './lanes.js';
import { park } from './parking.js';
import { type Score, score, thingsOn, together } from './score.js';
import { victimsOfHosts, victimsOfSlipway } from './victims.js';

export interface Run {
  wallMs: number;
  kills: Record<string, number>;
  score: Score;
}

export interface SlipwayRun extends Run {
  created: Created[];
  /** accepted, and now there is no operation or no client of it */
  lost: string[];
  /** without an end, although nothing has been killed for as long as any operation may take */
  stuck: string[];
  /** finished, and the page did not come */
  dark: string[];
}

export interface Chaos {
  creates: number;
  seed: number;
}

/** Mostly they wait for what was killed. */
export const LANES = 10;

/** All creates by the API of a Slipway whose every process is killed now and then, and what is there afterwards. */
export async function chaosOfSlipway(
  rig: Rig,
  servers: readonly number[],
  chaos: Chaos,
): Promise<SlipwayRun> {
  const { creates, seed } = chaos;
  const { hosts, call } = rig;
  const began = performance.now();
  const victims = [...victimsOfSlipway(rig), ...victimsOfHosts(hosts)];
  const killer = startKiller({ seed, victims, log });
  const dark: string[] = [];
  const underFire = await during(killer, () =>
    inLanes({ count: creates, lanes: LANES }, async (index) => {
      const at = index % hosts.length;
      const subdomain = `chaos${index}`;
      const serverId = servers[at] as number;
      const made = await createUnderFire({ call, serverId, subdomain, key: `chaos-${seed}-${index}` });
      const retried = made.retries > 0 ? `, ${made.retries} retries` : '';
      const cause = made.cause === '' ? '' : `: ${made.cause}`;
      log(`${subdomain} ${made.state} after ${made.ms} ms${retried}${cause}`);
      if (made.state.startsWith('succeeded') && made.accepted !== null) {
        const name = `client${made.accepted.clientId}`;
        const hostname = `${subdomain}.bench.example.test`;
        if (!(await park(hosts[at] as Rig['host'], { name, hostname }))) dark.push(subdomain);
      }
      return made;
    }),
  );
  const wallMs = Math.round(performance.now() - began);
  const created = await Promise.all(underFire.map((each) => settle(rig, each)));
  const { lost, doubled } = await audit(rig, created);
  const scores = await Promise.all(hosts.map((host, at) => scoreHost(rig, host, servers[at] as number)));
  const scored = together(scores);
  return {
    wallMs,
    kills: killer.kills(),
    created,
    dark,
    lost,
    stuck: created.filter(({ state }) => state === 'open').map(({ subdomain }) => subdomain),
    score: { ...scored, duplicates: [...scored.duplicates, ...doubled] },
  };
}

/** What has not ended in time has as long again without kills. */
async function settle({ call }: Rig, created: Created): Promise<Created> {
  if (created.state !== 'open' || created.accepted === null) return created;
  const followed = await follow(call, created.accepted.operation);
  log(`${created.subdomain} ${followed.state} after the kills`);
  return { ...created, ...followed, retries: created.retries + followed.retries };
}

/** The kills end with the work, however it ends. */
export async function during<T>(killer: Killer, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    await killer.stop();
  }
}

async function scoreHost({ database }: Rig, host: Rig['host'], serverId: number): Promise<Score> {
  const rows = await database.db.select().from(clients).where(eq(clients.serverId, serverId));
  const named = (wanted: ClientStatus) =>
    rows.filter(({ status }) => status === wanted).map(({ id }) => `client${id}`);
  // what is still being created is stuck, and counted so
  const things = (await thingsOn(host)).filter(({ owner }) => !named('creating').includes(owner ?? ''));
  return score(things, new Set(named('active')), host.name);
}

/** What was accepted against what Slipway knows of it: each once. */
async function audit({ database }: Rig, created: readonly Created[]) {
  const rows = await database.db.select().from(clients);
  const runs = await database.db.select().from(operations);
  const lost: string[] = [];
  const doubled: string[] = [];
  for (const { subdomain, accepted, state } of created) {
    const mine = rows.filter((row) => row.subdomain === subdomain);
    const ours = runs.filter(({ subject }) => mine.some(({ id }) => subject === `client:${id}`));
    if (mine.length > 1 || ours.length > 1)
      doubled.push(`${subdomain}: ${mine.length} clients, ${ours.length} operations`);
    if (accepted === null) continue;
    const known =
      mine.some(({ id }) => id === accepted.clientId) && ours.some(({ id }) => id === accepted.operation);
    if (!known || state === 'unknown') lost.push(subdomain);
  }
  return { lost, doubled };
}
