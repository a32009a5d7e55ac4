import { mkdir, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../process/log.js';
import type { LabHost } from '../../lab/host.js';
import { readLoad } from '../environment.js';
import { interleave } from '../interleave.js';
import { type Ansible, openAnsible, TUNINGS } from './ansible.js';
import { describeEnvironment } from './environment.js';
import { createByScript } from './floor.js';
import { type Invocations, requireSame, watchInvocations } from './invocations.js';
import { metricsOf, printReport, type Samples } from './report.js';
import { type Rig, startRig } from './rig.js';
import { addServer, createBySlipway, removeBySlipway } from './slipway.js';
import { nextPeerClient, type Pattern, type PeerClient, readPattern, removePeerClient } from './things.js';

/** Old nginx workers and removed containers have gone by then, and weigh on nobody's time. */
const SETTLE_MS = 300;
const RESULTS = new URL('../results/', import.meta.url);

interface Timed {
  ms: number;
  parts?: Map<string, number>;
}

interface Created extends Timed {
  /** what differs in this client's commands from those of any other */
  names: string[];
  remove(): Promise<void>;
}

interface Contender {
  name: string;
  create(): Promise<Created>;
}

const log: Log = (line) => console.log(`# ${line}`);

/** B1: a client on one lab host, from the request to the proven end, by Slipway and by its peers with the same commands. */
export async function benchCreateClient({ repeats }: { repeats: number }): Promise<void> {
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).toReversed()) await closer();
  };
  const stop = () => void close().finally(() => process.exit(130));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    const rig = await startRig(log);
    closers.push(() => rig.close());
    const serverId = await addServer(rig);
    const pattern = await makePattern(rig, serverId);
    const ansible = await openAnsible({ rig, pattern, log });
    closers.push(() => ansible.close());
    const contenders = contendersOf({ rig, serverId, pattern, ansible });
    const loads = [await readLoad()];
    const samples = await measure(rig.host, contenders, repeats);
    loads.push(await readLoad());
    const environment = await describeEnvironment({
      host: rig.host,
      peers: ansible.versions,
      loads,
      repeats,
    });
    printReport(samples, environment);
    await mkdir(RESULTS, { recursive: true });
    const result = { name: 'create-client', environment, metrics: metricsOf(samples) };
    await writeFile(new URL('create-client.json', RESULTS), `${JSON.stringify(result, null, 2)}\n`);
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
    await close();
  }
}

async function makePattern(rig: Rig, serverId: number): Promise<Pattern> {
  const { clientId } = await createBySlipway(rig, { serverId, subdomain: 'pattern' });
  const pattern = await readPattern(rig, clientId, serverId);
  await removeBySlipway(rig, clientId);
  return pattern;
}

interface Contest {
  rig: Rig;
  serverId: number;
  pattern: Pattern;
  ansible: Ansible;
}

function contendersOf({ rig, serverId, pattern, ansible }: Contest): Contender[] {
  let count = 0;
  const slipway: Contender = {
    name: 'slipway',
    async create() {
      const subdomain = `s${++count}`;
      const { clientId, ms, parts } = await createBySlipway(rig, { serverId, subdomain });
      const names = [`client${clientId}`, `${subdomain}.`];
      return { ms, parts, names, remove: () => removeBySlipway(rig, clientId) };
    },
  };
  const peer = (name: string, create: (client: PeerClient) => Promise<Timed>): Contender => ({
    name,
    async create() {
      const client = nextPeerClient(pattern);
      const { name, hostname } = client.thing.names;
      const timed = await create(client);
      const remove = () => removePeerClient(rig, pattern, client.thing);
      return { ...timed, names: [name, hostname.replace(/[^.]*$/, '')], remove };
    },
  });
  return [
    slipway,
    peer('floor', (client) => createByScript(rig, pattern, client)),
    ...TUNINGS.map((tuning) =>
      peer(`ansible ${tuning}`, async (client) => ({ ms: await ansible.create(tuning, client) })),
    ),
  ];
}

async function measure(host: LabHost, contenders: readonly Contender[], repeats: number): Promise<Samples> {
  const variants = contenders.map(({ name, create }) => ({
    name,
    async run(): Promise<Timed> {
      await delay(SETTLE_MS);
      const created = await create();
      await created.remove();
      return created;
    },
  }));
  const tell = (name: string, round: number, { ms }: Timed) =>
    log(`${String(round + 1).padStart(3)} ${name.padEnd(20)} ${ms.toFixed(0).padStart(6)} ms`);
  log('warm-up');
  await interleave({ variants, repeats: 1, onSample: tell });
  await compareCommands(host, contenders);
  log(`${repeats} repeats`);
  const samples: Samples = new Map(contenders.map(({ name }) => [name, []]));
  await interleave({
    variants,
    repeats,
    onSample(name, round, sample) {
      tell(name, round, sample);
      samples.get(name)?.push(sample);
    },
  });
  return samples;
}

/** Once each: the first contender's commands are everybody's. */
async function compareCommands(host: LabHost, contenders: readonly Contender[]): Promise<void> {
  let expected: Invocations | undefined;
  await watchInvocations(host, async (take) => {
    for (const { name, create } of contenders) {
      const created = await create();
      const ran = await take(created.names);
      await created.remove();
      await take([]);
      expected ??= ran;
      requireSame(expected, ran, name);
    }
  });
  const { docker = [], nginx = [], sql = [] } = expected ?? {};
  log(
    `all run the same ${docker.length} docker and ${nginx.length} nginx commands and ${sql.length} SQL statements`,
  );
}
