import { mkdtemp, rm } from 'node:fs/promises';
import { ulid } from 'ulid';
import type { LabHost } from '../../lab/host.js';
import { findClient } from '../../db/queries/clients.js';
import type { FanOutResult } from '../../workflows/contract/operation/fan-out.js';
import { log, printReport, round, spread, withClosers, writeResult } from '../benchmark.js';
import { inLanes } from '../chaos/lanes.js';
import { ensureAnsible, PINS } from '../create-client/ansible.js';
import { describeEnvironment } from '../create-client/environment.js';
import { VERSION } from '../client-fields.js';
import { type Rig, startRig } from '../create-client/rig.js';
import { addServer, createBySlipway, ended, operationOf, told } from '../create-client/slipway.js';
import { checkFromOutside, type Pattern, readPattern } from '../create-client/things.js';
import { readLoad } from '../environment.js';
import { median, table } from '../figures.js';
import { interleave } from '../interleave.js';
import { type Job, type PeerParts, switchByAnsible, switchByXargs } from './peers.js';
import { switchScript } from './switch-script.js';

const HOSTS = 3;
/** Slipway's own default, for each host. */
const WINDOW = 2;
/** Networks and ports for all clients of one host. */
const ROOM = { client_pool: '10.213.0.0/20', port_range: '20000-20499' };
/** Creates are not measured. */
const CREATING = 4;

interface Place {
  host: LabHost;
  serverId: number;
}

interface Switched {
  pattern: Pattern;
  host: LabHost;
}

/** B2: every client of three hosts switched to a higher version, by three `switch_all` at once and by peers with the same commands. */
export async function benchFanOut({ repeats, clients }: { repeats: number; clients: number }): Promise<void> {
  await withClosers(async (closers) => {
    const rig = await startRig(log, { hosts: HOSTS });
    closers.push(() => rig.close());
    const dir = await mkdtemp('/tmp/slf-');
    closers.push(() => rm(dir, { recursive: true, force: true }));
    const places: Place[] = [];
    for (const host of rig.hosts) places.push({ host, serverId: await addServer({ ...rig, host }, ROOM) });
    const all = await createAll(rig, places, clients);
    const parts: PeerParts = { dir, sshKeyFile: rig.sshKeyFile, window: WINDOW };
    const venv = await ensureAnsible(log);
    let versions = 0;
    /** a version that nobody had yet: the same image under a new tag */
    const nextVersion = async () => {
      const tag = `2.${(versions += 1)}-master`;
      for (const { host } of places)
        await host.exec(`docker tag slipway-sample:${VERSION} slipway-sample:${tag}`);
      return tag;
    };
    const variants = [
      { name: 'slipway', run: async () => switchBySlipway(rig, places, await nextVersion()) },
      {
        name: 'xargs -P',
        run: async () => switchByXargs(jobsOf(all, await nextVersion()), parts),
      },
      {
        name: 'ansible',
        run: async () => switchByAnsible(jobsOf(all, await nextVersion()), { ...parts, venv }),
      },
    ].map(({ name, run }) => ({
      name,
      run: async () => {
        const ms = await run();
        for (const { pattern } of all) await checkFromOutside(pattern, pattern);
        log(`${name.padEnd(10)} ${(ms / 1000).toFixed(1)} s`);
        return ms;
      },
    }));
    const samples = new Map<string, number[]>(variants.map(({ name }) => [name, []]));
    const before = await readLoad();
    await interleave({ variants, repeats, onSample: (name, _, ms) => samples.get(name)?.push(ms) });
    const environment = await describeEnvironment({
      host: rig.host,
      peers: PINS.join(' ').replaceAll('==', ' '),
      loads: [before, await readLoad()],
      repeats,
    });
    report(samples, clients, environment);
    await writeResult({ name: 'fan-out', environment, metrics: metricsOf(samples, clients) });
  });
}

async function createAll(rig: Rig, places: readonly Place[], count: number): Promise<Switched[]> {
  log(`${count} clients on ${places.length} hosts`);
  return inLanes({ count, lanes: CREATING }, async (index) => {
    const { host, serverId } = places[index % places.length] as Place;
    const { clientId } = await createBySlipway(rig, { serverId, subdomain: `fan${index}` });
    const pattern = await readPattern({ ...rig, host }, clientId, serverId);
    return { pattern, host };
  });
}

function jobsOf(all: readonly Switched[], versionTag: string): Job[] {
  return all.map(({ pattern, host }) => {
    const { names, client } = pattern;
    const thing = { names, operation: client.operationId ?? '' };
    return { name: names.name, host, script: switchScript({ pattern, thing, versionTag, run: ulid() }) };
  });
}

/** One `switch_all` for each host, all at once, until each has its end on record. */
async function switchBySlipway(rig: Rig, places: readonly Place[], versionTag: string): Promise<number> {
  const began = performance.now();
  await Promise.all(
    places.map(async ({ serverId }) => {
      const path = `/servers/${serverId}/switch_all/${versionTag}?window=${WINDOW}&canary=0`;
      const answer = await rig.call('POST', path);
      if (answer.status !== 202) throw new Error(`${path}: ${told(answer)}`);
      const operation = operationOf(answer);
      const state = await ended(rig, operation);
      const { body } = await rig.call('GET', `/operations/${operation}`);
      const { done, total } = body['result'] as FanOutResult;
      if (state !== 'succeeded' || done !== total) throw new Error(`${path}: ${state}, ${done} of ${total}`);
    }),
  );
  const ms = performance.now() - began;
  await requireVersion(rig, versionTag);
  return ms;
}

/** What counts is what the clients have, not what the operation says. */
async function requireVersion({ database, call }: Rig, versionTag: string): Promise<void> {
  const { body } = await call('GET', '/clients?per_page=100');
  for (const { id } of body['data'] as { id: number }[]) {
    const found = await findClient(database.db, id);
    if (found?.client.versionTag !== versionTag) throw new Error(`client ${id} is not on ${versionTag}`);
  }
}

type Samples = ReadonlyMap<string, number[]>;

function seconds(samples: Samples, name: string): number {
  return median(samples.get(name) ?? []) / 1000;
}

function metricsOf(samples: Samples, clients: number): Record<string, number> {
  const [slipway, xargs, ansible] = ['slipway', 'xargs -P', 'ansible'].map((name) => seconds(samples, name));
  return {
    clients,
    slipwaySeconds: round(slipway ?? Number.NaN),
    xargsSeconds: round(xargs ?? Number.NaN),
    ansibleSeconds: round(ansible ?? Number.NaN),
    overXargs: round((slipway ?? Number.NaN) / (xargs ?? Number.NaN), 3),
    overAnsible: round((slipway ?? Number.NaN) / (ansible ?? Number.NaN), 3),
  };
}

function report(
  samples: Samples,
  clients: number,
  environment: Awaited<ReturnType<typeof describeEnvironment>>,
): void {
  const floor = seconds(samples, 'xargs -P');
  const rows = [...samples].map(([name, times]) => [
    name,
    ...spread(times.map((ms) => ms / 1000)),
    (seconds(samples, name) / floor).toFixed(2),
  ]);
  printReport(
    [
      table([
        [
          `${clients} clients on ${HOSTS} hosts, ${WINDOW} at once on each, s`,
          'p50',
          'p95',
          'min',
          '× xargs',
        ],
        ...rows,
      ]),
    ],
    environment,
    [
      'Each switch: 503, stop, dump and archive, image, migrate, new container until healthy, live. xargs and Ansible: the',
      'same scripts as one text for each client, over kept connections; what fails of it nobody takes back. Aim: 1.3 × xargs.',
      '',
    ],
  );
}
