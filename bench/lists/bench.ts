import postgres from 'postgres';
import type { Call } from '../api-caller.js';
import { log, observe, printReport, round, withClosers, writeResult } from '../benchmark.js';
import { DURABILITY } from '../environment.js';
import { median, table } from '../figures.js';
import { requestOf } from '../http/cases.js';
import { startGenerator } from '../http/generator.js';
import type { Load } from '../http/load.js';
import { interleave } from '../interleave.js';
import { startApiProcess, startServices } from '../services.js';
import { CASES, COMPARED } from './cases.js';
import { fillLists } from './rows.js';

/** One: what a person waits for, not what the machine can do; `http` measures that. */
const CONNECTIONS = 1;
const LOAD_MS = 1_000;
const UNBOUND = { RATE_LIMIT: '1000000', RATE_LIMIT_CHANGES: '1000000' };

type Samples = Map<string, Load[]>;

/** Pages of clients among ten thousand, and pages of a long log beside those of a short one. */
export async function benchLists({ repeats }: { repeats: number }): Promise<void> {
  await withClosers(async (closers) => {
    const services = await startServices(log, closers);
    const { port, call } = await startApiProcess({ services, closers, variables: UNBOUND });
    const sql = postgres(services.postgres.url, { max: 1, onnotice: () => undefined });
    await fillLists(sql);
    await sql.end();
    await requireFullPages(call);
    const generate = startGenerator(closers);
    const samples: Samples = new Map(CASES.map(({ name }) => [name, []]));
    const variants = CASES.map(({ name, path }) => ({
      name,
      run: () =>
        generate({
          port,
          request: requestOf('GET', path),
          status: 200,
          connections: CONNECTIONS,
          forMs: LOAD_MS,
          from: 0,
        }),
    }));
    const { environment } = await observe({
      repeats,
      versions: services.versions,
      durability: { postgres: DURABILITY.postgres },
      measure: async () => {
        await interleave({ variants, repeats: 1, onSample: () => undefined });
        log('warm');
        await interleave({ variants, repeats, onSample: (name, _, load) => samples.get(name)?.push(load) });
      },
    });
    printReport([figuresOf(samples), growthOf(samples)], environment, NOTES);
    await writeResult({ name: 'lists', environment, metrics: metricsOf(samples) });
  });
}

const NOTES = [
  'one connection, 10,000 clients on 10 servers, 50 entries on each page with their count; growth: a page of the same',
  'size of the operation with 10,000 items over one with 100. API, Postgres and the load share the processors.',
  '',
];

/** Figures of an empty page would be good ones. */
async function requireFullPages(call: Call): Promise<void> {
  for (const { title, path } of CASES) {
    const { status, body } = await call('GET', path);
    const entries = (body['data'] ?? body['log']) as unknown[] | undefined;
    if (status !== 200 || entries === undefined || entries.length === 0)
      throw new Error(`${title}: ${status} with ${entries?.length ?? 'no'} entries`);
  }
}

function figure(samples: Samples, name: string, pick: (load: Load) => number): number {
  return median((samples.get(name) ?? []).map(pick));
}

const p50 = (load: Load) => load.p50Ms;
const p99 = (load: Load) => load.p99Ms;

function figuresOf(samples: Samples): string {
  const rows = CASES.map(({ name, title }) => [
    title,
    figure(samples, name, p50).toFixed(2),
    figure(samples, name, p99).toFixed(2),
  ]);
  return table([['medians, ms', 'p50', 'p99'], ...rows]);
}

function growth(samples: Samples, name: (typeof COMPARED)[number]): number {
  return figure(samples, `${name}Long`, p50) / figure(samples, `${name}Short`, p50);
}

function growthOf(samples: Samples): string {
  const rows = COMPARED.map((name) => [name, growth(samples, name).toFixed(2)]);
  return table([['a page of 10,000 items over one of 100', '×'], ...rows]);
}

/** For each case `<case>P50Ms` and `<case>P99Ms`; `<page>Growth` is long over short. */
function metricsOf(samples: Samples): Record<string, number> {
  return Object.fromEntries([
    ...CASES.flatMap(({ name }) => [
      [`${name}P50Ms`, round(figure(samples, name, p50))],
      [`${name}P99Ms`, round(figure(samples, name, p99))],
    ]),
    ...COMPARED.map((name) => [`${name}Growth`, round(growth(samples, name))]),
  ]);
}
