import { type Closers, log, withClosers, writeResult } from '../benchmark.js';
import { openAnsible } from '../create-client/ansible.js';
import { describeEnvironment } from '../create-client/environment.js';
import { type Rig, startRig } from '../create-client/rig.js';
import { addServer, createBySlipway, removeBySlipway } from '../create-client/slipway.js';
import { readPattern } from '../create-client/things.js';
import { readLoad } from '../environment.js';
import { type AnsibleHost, chaosOfAnsible } from './ansible.js';
import { metricsOf, printReport } from './report.js';
import { type Chaos, chaosOfSlipway } from './slipway.js';

const HOSTS = 2;
/** Networks and ports for all creates on one host. */
const ROOM = { client_pool: '10.213.0.0/20', port_range: '20000-20499' };

/** B6: creates under random kills, and what is orphaned, doubled, lost or stuck when everything has settled. */
export async function benchChaos({ creates, seed }: Chaos): Promise<void> {
  const before = await readLoad();
  const slipway = await withClosers((closers) => runSlipway({ creates, seed }, closers));
  const { run: ansible, ...described } = await withClosers((closers) =>
    runAnsible({ creates, seed }, closers),
  );
  const environment = { ...described.environment, load: [before, await readLoad()] };
  printReport({ slipway, ansible }, environment);
  await writeResult({ name: 'chaos', environment, metrics: metricsOf({ slipway, ansible }) });
}

async function runSlipway(chaos: Chaos, closers: Closers) {
  const rig = await startRig(log, { hosts: HOSTS });
  closers.push(() => rig.close());
  const servers: number[] = [];
  for (const host of rig.hosts) servers.push(await addServer({ ...rig, host }, ROOM));
  return chaosOfSlipway(rig, servers, chaos);
}

/** On hosts of their own, which are as new. */
async function runAnsible(chaos: Chaos, closers: Closers) {
  const rig = await startRig(log, { hosts: HOSTS });
  closers.push(() => rig.close());
  const places: AnsibleHost[] = [];
  for (const host of rig.hosts) {
    const own: Rig = { ...rig, host };
    const serverId = await addServer(own, ROOM);
    const { clientId } = await createBySlipway(own, { serverId, subdomain: `pattern${places.length}` });
    const pattern = await readPattern(own, clientId, serverId);
    await removeBySlipway(own, clientId);
    const ansible = await openAnsible({ rig: own, pattern, log });
    closers.push(() => ansible.close());
    places.push({ host, pattern, ansible });
  }
  const run = await chaosOfAnsible(places, chaos);
  const peers = places[0]?.ansible.versions ?? '';
  const environment = await describeEnvironment({ host: rig.host, peers, loads: [], repeats: 1 });
  return { run, environment };
}
