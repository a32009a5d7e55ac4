import { mkdir, writeFile } from 'node:fs/promises';
import type { Log } from '../process/log.js';
import { quantile } from './figures.js';
import { describeMachine, type Environment, readLoad } from './environment.js';

const RESULTS = new URL('results/', import.meta.url);

export const log: Log = (line) => console.log(`# ${line}`);

/** What a benchmark has opened; the last goes first, also on Ctrl-C. */
export type Closers = (() => Promise<unknown>)[];

export async function withClosers<T>(work: (closers: Closers) => Promise<T>): Promise<T> {
  const closers: Closers = [];
  const close = async () => {
    for (const closer of closers.splice(0).toReversed()) {
      await closer().catch((error: unknown) => console.error('clean-up:', error));
    }
  };
  const stop = () => void close().finally(() => process.exit(130));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    return await work(closers);
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
    await close();
  }
}

interface Result {
  name: string;
  environment: Environment;
  metrics: object;
}

/** As `results/<name>.json`. */
export async function writeResult(result: Result): Promise<void> {
  await mkdir(RESULTS, { recursive: true });
  await writeFile(new URL(`${result.name}.json`, RESULTS), `${JSON.stringify(result, null, 2)}\n`);
}

interface Observe<T> {
  repeats: number;
  durability: Record<string, string>;
  /** beside those of Node and Temporal */
  versions: Record<string, string>;
  target?: string;
  measure(): Promise<T>;
}

/** Measures, with the machine's load before and after. */
export async function observe<T>({
  repeats,
  durability,
  versions: others,
  target,
  measure,
}: Observe<T>): Promise<{ measured: T; environment: Environment }> {
  const before = await readLoad();
  const measured = await measure();
  const load = [before, await readLoad()];
  const { cpus, versions } = await describeMachine();
  const described = target === undefined ? {} : { target };
  return {
    measured,
    environment: { repeats, cpus, load, versions: { ...versions, ...others }, ...described, durability },
  };
}

/** p50, p95 and minimum, as cells. */
export function spread(values: readonly number[], digits = 1): string[] {
  return [0.5, 0.95, 0].map((q) => quantile(values, q).toFixed(digits));
}

export function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}

export function printReport(tables: readonly string[], environment: Environment, notes: readonly string[]) {
  const lines = Object.entries(environment).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  console.log(['', ...tables.flatMap((text) => [text, '']), ...notes, ...lines].join('\n'));
}
