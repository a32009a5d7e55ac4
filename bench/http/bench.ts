import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import postgres from 'postgres';
import { freePort } from '../../process/free-port.js';
import type { Call } from '../api-caller.js';
import { type Closers, log, observe, withClosers, writeResult } from '../benchmark.js';
import { clientFields } from '../client-fields.js';
import { DURABILITY } from '../environment.js';
import { interleave } from '../interleave.js';
import { startProcess, untilLogged } from '../processes.js';
import { type Services, startApiProcess, startServices } from '../services.js';
import type { BareRoutes } from './bare.js';
import { type Case, CASES, requestOf } from './cases.js';
import { type Generate, startGenerator } from './generator.js';
import type { Load } from './load.js';
import { metricsOf, printFigures, type Samples, VARIANTS } from './report.js';
import { fillTables } from './rows.js';

const CONNECTIONS = 8;
const LOAD_MS = 2_000;
const WARM_UP_MS = 1_500;
const FIRST = clientFields({ serverId: 1, subdomain: 'first' });
/** Load, not its bounds, is what is measured. */
const UNBOUND = { RATE_LIMIT: '1000000', RATE_LIMIT_CHANGES: '1000000' };

interface Bench {
  generate: Generate;
  apiPort: number;
  barePort: number;
}

/** B4: the API's reads and a start, beside Hono alone with the same login and answers of the same size. */
export async function benchHttp({ repeats }: { repeats: number }): Promise<void> {
  await withClosers(async (closers) => {
    const services = await startServices(log, closers);
    const { port: apiPort, call } = await startApiProcess({ services, closers, variables: UNBOUND });
    await fill(services);
    const barePort = await startBare({ services, call, closers });
    const bench = { generate: startGenerator(closers), apiPort, barePort };
    const samples: Samples = new Map();
    const durability = {
      slipway: `start: Temporal (${DURABILITY.temporal}) and Postgres (${DURABILITY.postgres})`,
      'bare + postgres': DURABILITY.postgres,
      bare: 'none',
    };
    const { environment } = await observe({
      repeats,
      versions: services.versions,
      durability,
      measure: async () => {
        for (const it of CASES) samples.set(it.name, await measure(bench, it, repeats));
      },
    });
    printFigures(samples, environment);
    await writeResult({ name: 'http', environment, metrics: metricsOf(samples) });
  });
}

async function fill({ postgres: { url } }: Services): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  await fillTables(sql);
  await sql`create table bare_starts (id serial primary key, body text not null)`;
  await sql.end();
}

interface StartBare {
  services: Services;
  call: Call;
  closers: Closers;
}

/** Its answers are Slipway's own, asked for once. */
async function startBare({ services, call, closers }: StartBare): Promise<number> {
  const routes: BareRoutes = {};
  for (const { name, method, path, queries, insert } of CASES) {
    const { status, body } = await call(method, path, method === 'POST' ? { fields: FIRST } : {});
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(body)}`);
    routes[name] = { body, queries, insert };
  }
  const routesFile = join(services.dir, 'routes.json');
  await writeFile(routesFile, JSON.stringify(routes));
  const port = await freePort();
  const variables = { ROUTES_FILE: routesFile, PORT: String(port), DATABASE_URL: services.postgres.url };
  const logFile = join(services.dir, 'bare.log');
  const bare = await startProcess({ entry: 'bench/http/bare.ts', logFile, variables });
  closers.push(() => bare.stop());
  await untilLogged({ pid: bare.pid, logFile, words: 'bare Hono listens' });
  return port;
}

async function measure(bench: Bench, { name, title, method, path }: Case, repeats: number) {
  let next = 0;
  const places = {
    slipway: { port: bench.apiPort, path },
    'bare + postgres': { port: bench.barePort, path: `/postgres/${name}` },
    bare: { port: bench.barePort, path: `/memory/${name}` },
  };
  const load = async (variant: (typeof VARIANTS)[number], forMs: number): Promise<Load> => {
    const { port, path: asked } = places[variant];
    const status = method === 'POST' ? 202 : 200;
    const job = {
      port,
      request: requestOf(method, asked),
      status,
      connections: CONNECTIONS,
      forMs,
      from: next,
    };
    const done = await bench.generate(job);
    next = done.next;
    return done;
  };
  for (const variant of VARIANTS) await load(variant, WARM_UP_MS);
  const samples = new Map<string, Load[]>(VARIANTS.map((variant) => [variant, []]));
  const variants = VARIANTS.map((variant) => ({ name: variant, run: () => load(variant, LOAD_MS) }));
  await interleave({
    variants,
    repeats,
    onSample: (variant, _, sample) => samples.get(variant)?.push(sample),
  });
  log(`${title}: measured`);
  return samples;
}
