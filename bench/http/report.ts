import { printReport, round } from '../benchmark.js';
import type { Environment } from '../environment.js';
import { median, table } from '../figures.js';
import { CASES } from './cases.js';
import type { Load } from './load.js';

export const VARIANTS = ['slipway', 'bare + postgres', 'bare'] as const;

/** by case, by variant */
export type Samples = Map<string, Map<string, Load[]>>;

function figureOf(samples: Samples, name: string, variant: string, pick: (load: Load) => number): number {
  return median((samples.get(name)?.get(variant) ?? []).map(pick));
}

/** For each case: `<case>PerSecond`, `P50Ms`, `P99Ms`, `OverBare` and `OverQuery` (shares of the bare ones' requests). */
export function metricsOf(samples: Samples): Record<string, number> {
  const entries = CASES.flatMap(({ name }) => {
    const perSecond = (variant: string) => figureOf(samples, name, variant, (load) => load.requestsPerSecond);
    const slipway = perSecond('slipway');
    return [
      [`${name}PerSecond`, round(slipway, 0)],
      [`${name}P50Ms`, round(figureOf(samples, name, 'slipway', (load) => load.p50Ms))],
      [`${name}P99Ms`, round(figureOf(samples, name, 'slipway', (load) => load.p99Ms))],
      [`${name}OverBare`, round(slipway / perSecond('bare'), 3)],
      [`${name}OverQuery`, round(slipway / perSecond('bare + postgres'), 3)],
    ] as const;
  });
  return Object.fromEntries(entries);
}

export function printFigures(samples: Samples, environment: Environment): void {
  const rows = CASES.flatMap(({ name, title }) =>
    VARIANTS.map((variant) => {
      const of = (pick: (load: Load) => number) => figureOf(samples, name, variant, pick);
      const perSecond = of((load) => load.requestsPerSecond);
      const bare = figureOf(samples, name, 'bare', (load) => load.requestsPerSecond);
      return [
        `${title}, ${variant}`,
        perSecond.toFixed(0),
        of((load) => load.p50Ms).toFixed(2),
        of((load) => load.p99Ms).toFixed(2),
        (perSecond / bare).toFixed(2),
      ];
    }),
  );
  printReport(
    [table([['8 connections, medians', 'req/s', 'p50 ms', 'p99 ms', '× bare'], ...rows])],
    environment,
    [
      'bare: Hono with the same Basic auth, the same answer out of memory (aim 0.7); bare + postgres: the same after the',
      'plain statements for it, a POST after one insert. Slipway writes its access log, its POST starts a workflow for',
      'which no worker runs. API, Postgres and the load share the processors.',
      '',
    ],
  );
}
