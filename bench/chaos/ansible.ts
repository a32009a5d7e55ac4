import { log } from '../benchmark.js';
import type { Ansible, PlaybookRun, Tuning } from '../create-client/ansible.js';
import type { Rig } from '../create-client/rig.js';
import { nextPeerClient, type Pattern } from '../create-client/things.js';
import { dice } from './dice.js';
import { startKiller, type Victim } from './killer.js';
import { inLanes } from './lanes.js';
import { park } from './parking.js';
import { score, thingsOn, together } from './score.js';
import { type Chaos, during, LANES, type Run } from './slipway.js';
import { victimsOfHosts } from './victims.js';

export interface AnsibleRun extends Run {
  /** clients whose playbook has never ended well */
  incomplete: string[];
  /** runs beyond the first of each client */
  reruns: number;
}

/** One host with what a playbook for it needs. */
export interface AnsibleHost {
  host: Rig['host'];
  pattern: Pattern;
  ansible: Ansible;
}

/** The faster of the tuned ones, in the benchmark of whole creates. */
const TUNING: Tuning = 'mitogen';
/** As often as the operator of a held operation. */
const RERUNS_MAX = 5;
/** The kills of Slipway's four processes, which have one counterpart here. */
const EXECUTOR_WEIGHT = 14;

/** The same creates by playbooks that are run again when they fail; where Slipway's processes die, one of them does. */
export async function chaosOfAnsible(
  places: readonly AnsibleHost[],
  { creates, seed }: Chaos,
): Promise<AnsibleRun> {
  const began = performance.now();
  const running = new Set<PlaybookRun>();
  const roll = dice(seed + 1);
  const executor: Victim = {
    name: 'ansible-playbook',
    weight: EXECUTOR_WEIGHT,
    kill: async () => [...running][Math.floor(roll() * running.size)]?.kill(),
  };
  const victims = [executor, ...victimsOfHosts(places.map(({ host }) => host))];
  const killer = startKiller({ seed, victims, log });
  let reruns = 0;
  const incomplete: string[] = [];
  const live = places.map(() => new Set<string>());

  await during(killer, () =>
    inLanes({ count: creates, lanes: LANES }, async (index) => {
      const at = index % places.length;
      const { host, pattern, ansible } = places[at] as AnsibleHost;
      const client = nextPeerClient(pattern, { ...placeOf(index), rerunnable: true });
      const { name, hostname } = client.thing.names;
      for (let run = 0; run <= RERUNS_MAX; run += 1) {
        if (run > 0) reruns += 1;
        const started = await ansible.start(TUNING, client);
        running.add(started);
        const code = await started.ended;
        running.delete(started);
        log(`ansible ${name} run ${run + 1} ended with ${code}`);
        if (code !== 0) continue;
        live[at]?.add(name);
        await park(host, { name, hostname });
        return;
      }
      incomplete.push(name);
    }),
  );
  const wallMs = Math.round(performance.now() - began);
  const scores = await Promise.all(
    places.map(async ({ host }, at) => score(await thingsOn(host), live[at] ?? new Set(), host.name)),
  );
  return { wallMs, kills: killer.kills(), reruns, incomplete, score: together(scores) };
}

/** Networks of sixteen addresses and ports, one for each client of the run. */
function placeOf(index: number) {
  const subnet = `10.214.${Math.floor(index / 16)}.${(index % 16) * 16}/28`;
  return { subnet, port: 28_000 + index };
}
