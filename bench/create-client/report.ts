import type { Environment } from '../environment.js';
import { median, quantile, table } from '../figures.js';
import { PARTS } from './slipway.js';

export type Samples = Map<string, { ms: number; parts?: Map<string, number> }[]>;

export interface Metrics {
  slipwayMs: number;
  floorMs: number;
  /** the faster of the tuned ones */
  ansibleMs: number;
  ansiblePlainMs: number;
  overFloor: number;
  underAnsible: number;
}

const DURABILITY: Record<string, string> = {
  slipway: 'Temporal (SQLite, WAL, synchronous=NORMAL) and Postgres (fsync)',
};

export function metricsOf(samples: Samples): Metrics {
  const of = (name: string) => median((samples.get(name) ?? []).map(({ ms }) => ms));
  const slipwayMs = of('slipway');
  const floorMs = of('floor');
  const ansibleMs = Math.min(of('ansible pipelining'), of('ansible mitogen'));
  return {
    slipwayMs: round(slipwayMs, 1),
    floorMs: round(floorMs, 1),
    ansibleMs: round(ansibleMs, 1),
    ansiblePlainMs: round(of('ansible plain'), 1),
    overFloor: round(slipwayMs / floorMs, 3),
    underAnsible: round(ansibleMs / slipwayMs, 3),
  };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

export function printReport(samples: Samples, environment: Environment): void {
  const { overFloor, underAnsible, floorMs, slipwayMs } = metricsOf(samples);
  const rows = [...samples].map(([name, all]) => {
    const times = all.map(({ ms }) => ms);
    const figures = [0.5, 0.95, 0].map((q) => quantile(times, q).toFixed(0));
    return [name, ...figures, (median(times) / floorMs).toFixed(2), DURABILITY[name] ?? 'no durability'];
  });
  const lines = [
    '',
    table([['create client, ms', 'p50', 'p95', 'min', '× floor', 'survives a crash by'], ...rows]),
    '',
    'floor: the same commands as one script over one warm SSH connection; Ansible: one task per section of it,',
    'connection kept open, no facts; all end with the same look from outside. No mail, removal is not timed.',
    ...Object.entries(environment).map(([name, value]) => `${name}: ${JSON.stringify(value)}`),
    '',
    breakdown(samples),
    '',
    `slipway is ${overFloor.toFixed(2)} × floor (+ ${(slipwayMs - floorMs).toFixed(0)} ms), tuned Ansible ${underAnsible.toFixed(2)} × slipway`,
  ];
  console.log(lines.join('\n'));
}

/** Medians of each part: what the step took by its own record, what its section took in the script. */
function breakdown(samples: Samples): string {
  const slipway = mediansOf(samples, 'slipway');
  const floor = mediansOf(samples, 'floor');
  const rows = [...slipway].map(([name, ms]) => {
    const section = floor.get(name) ?? 0;
    return [name, ms.toFixed(1), floor.has(name) ? section.toFixed(1) : '-', (ms - section).toFixed(1)];
  });
  const [slipwaySum, floorSum] = [sum(slipway), sum(floor)];
  const total = ['sum', slipwaySum.toFixed(1), floorSum.toFixed(1), (slipwaySum - floorSum).toFixed(1)];
  return table([['where the rest goes, ms', 'slipway', 'floor', 'more'], ...rows, total]);
}

function mediansOf(samples: Samples, variant: string): Map<string, number> {
  const all = (samples.get(variant) ?? []).flatMap(({ parts }) => (parts === undefined ? [] : [parts]));
  const names = [...(all[0]?.keys() ?? [])];
  const inOrder = [
    ...names.filter((name) => !OVERALL.has(name)),
    ...names.filter((name) => OVERALL.has(name)),
  ];
  return new Map(inOrder.map((name) => [name, median(all.map((parts) => parts.get(name) ?? Number.NaN))]));
}

const OVERALL = new Set(Object.values(PARTS));

function sum(parts: Map<string, number>): number {
  return [...parts.values()].reduce((total, ms) => total + ms, 0);
}
