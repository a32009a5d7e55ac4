import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { ulid } from 'ulid';
import { findClient } from '../../db/queries/clients.js';
import type { LabHost } from '../../lab/host.js';
import { log, printReport, round, spread, withClosers, writeResult } from '../benchmark.js';
import { VERSION } from '../client-fields.js';
import { describeEnvironment } from '../create-client/environment.js';
import { type Rig, startRig } from '../create-client/rig.js';
import { addServer, createBySlipway, ended, operationOf, told } from '../create-client/slipway.js';
import { type Pattern, readPattern } from '../create-client/things.js';
import { readLoad } from '../environment.js';
import { median, table } from '../figures.js';
import { switchScript } from '../fan-out/switch-script.js';
import { interleave } from '../interleave.js';
import { plainCopy } from './plain-copy.js';

const TABLES = 100;
const ROW_BYTES = 1_000;
/** A visitor asks so often: the error of a downtime. */
const EVERY_MS = 20;

/** How long a client of many megabytes is away while its version changes: by Slipway, and by one script with a dump and a restore. */
export async function benchSwitch({
  repeats,
  megabytes,
}: {
  repeats: number;
  megabytes: number;
}): Promise<void> {
  await withClosers(async (closers) => {
    const rig = await startRig(log);
    closers.push(() => rig.close());
    const { host } = rig;
    const serverId = await addServer(rig);
    const { clientId } = await createBySlipway(rig, { serverId, subdomain: 'large' });
    await fill(host, clientId, megabytes);
    let versions = 0;
    /** a version that the client did not have yet: the same image under a new tag */
    const nextVersion = async () => {
      const tag = `2.${(versions += 1)}-master`;
      await host.exec(`docker tag slipway-sample:${VERSION} slipway-sample:${tag}`);
      return tag;
    };
    const pattern = () => readPattern(rig, clientId, serverId);
    const { names } = await pattern();
    const variants = [
      { name: 'slipway', act: async () => switchBySlipway(rig, clientId, await nextVersion()) },
      {
        name: 'script',
        act: async () => switchByScript(host, await pattern(), await nextVersion()),
      },
    ].map(({ name, act }) => ({
      name,
      run: async () => {
        const ms = await downtime({ address: host.address, hostname: names.hostname }, act);
        log(`${name.padEnd(8)} ${(ms / 1000).toFixed(1)} s away`);
        return ms;
      },
    }));
    const samples = new Map<string, number[]>(variants.map(({ name }) => [name, []]));
    const before = await readLoad();
    await interleave({ variants, repeats, onSample: (name, _, ms) => samples.get(name)?.push(ms) });
    const environment = await describeEnvironment({
      ...{ host, peers: 'bash, mariadb-dump, gzip', repeats },
      loads: [before, await readLoad()],
    });
    const seconds = (name: string) => median(samples.get(name) ?? []) / 1000;
    const ratio = round(seconds('slipway') / seconds('script'), 3);
    const rows = [...samples].map(([name, times]) => [name, ...spread(times.map((ms) => ms / 1000))]);
    printReport(
      [table([[`${megabytes} MB in ${TABLES} tables: away, s`, 'p50', 'p95', 'min'], ...rows])],
      environment,
      [
        'Both: 503, stop, dump and archive, the dump restored into a second database, image, migrate, new container until',
        `healthy, live. Slipway also compares both databases. Ratio ${ratio}; aim: 1.1.`,
        '',
      ],
    );
    const metrics = {
      megabytes,
      slipwaySeconds: round(seconds('slipway')),
      scriptSeconds: round(seconds('script')),
    };
    await writeResult({ name: 'switch', environment, metrics: { ...metrics, overScript: ratio } });
  });
}

async function fill(host: LabHost, clientId: number, megabytes: number): Promise<void> {
  const rows = Math.round((megabytes * 1_000_000) / TABLES / ROW_BYTES);
  const statements = Array.from(
    { length: TABLES },
    (
      _,
      index,
    ) => `CREATE TABLE filled_${index} (id int PRIMARY KEY, word varchar(64), amount decimal(12, 2), told datetime, text text, KEY (word));
INSERT INTO filled_${index} SELECT seq, MD5(seq * ${index + 1}), seq / 7, NOW(), CONCAT(REPEAT(MD5(seq), 12), REPEAT(MD5(seq + 1), 15)) FROM seq_1_to_${rows};`,
  );
  log(`${TABLES} tables of ${rows} rows`);
  await host.exec(`mariadb client${clientId}`, { input: statements.join('\n') });
}

async function switchBySlipway(rig: Rig, clientId: number, versionTag: string): Promise<void> {
  const answer = await rig.call('GET', `/clients/${clientId}/switch/${versionTag}`);
  if (answer.status !== 202) throw new Error(`switch: ${told(answer)}`);
  const state = await ended(rig, operationOf(answer));
  const found = await findClient(rig.database.db, clientId);
  if (state !== 'succeeded' || found?.client.versionTag !== versionTag) throw new Error(`switch: ${state}`);
}

async function switchByScript(host: LabHost, pattern: Pattern, versionTag: string): Promise<void> {
  const { names, client } = pattern;
  const thing = { names, operation: client.operationId ?? '' };
  const run = ulid();
  const script = switchScript({ pattern, thing, versionTag, run, data: plainCopy(pattern, run) });
  // as root, who may read all of the client's files: that costs a script nothing
  await host.exec('exec bash', { input: script });
}

/** From the last good answer before to the first good one after; `act` ends when the version is changed. */
async function downtime(
  place: { address: string; hostname: string },
  act: () => Promise<void>,
): Promise<number> {
  const gaps: number[] = [];
  let lastGood: number | undefined;
  let over = false;
  const watching = (async () => {
    while (!over || gaps.length === 0) {
      const good = await answers(place);
      const now = performance.now();
      if (good && lastGood !== undefined && now - lastGood > 10 * EVERY_MS) gaps.push(now - lastGood);
      if (good) lastGood = now;
      await delay(EVERY_MS);
    }
  })();
  await act();
  over = true;
  await watching;
  return Math.max(...gaps);
}

function answers({ address, hostname }: { address: string; hostname: string }): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ host: address, headers: { host: hostname }, timeout: 2_000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    asked.once('timeout', () => asked.destroy());
    asked.once('error', () => resolve(false));
    asked.end();
  });
}
