import { printReport, round, spread } from '../benchmark.js';
import type { Environment } from '../environment.js';
import { median, table } from '../figures.js';

export const STEPS = 10;

export interface Sample {
  ms: number;
  /** one per step, milliseconds */
  begins?: number[];
  succeeds?: number[];
}

export type Samples = Map<string, Sample[]>;

/** `…StepMs`: a whole run of ten divided by ten; `added…StepMs`: without what a run of no step takes. */
export function metricsOf(samples: Samples) {
  const ms = (name: string) => median((samples.get(name) ?? []).map((sample) => sample.ms));
  const noop = samples.get('slipway: 10 × nothing') ?? [];
  const [ssh, floor, master] = [
    ms('slipway: 10 × true'),
    ms('ssh2: 10 × true'),
    ms('ControlMaster: 10 × true'),
  ];
  const [core, bare] = [ms('slipway: 10 × nothing'), ms('temporal: 10 × nothing')];
  const [emptyCore, emptyBare] = [ms('slipway: no step'), ms('temporal: no activity')];
  const [addedCore, addedBare] = [(core - emptyCore) / STEPS, (bare - emptyBare) / STEPS];
  const beginMs = median(noop.flatMap(({ begins = [] }) => begins));
  const succeedMs = median(noop.flatMap(({ succeeds = [] }) => succeeds));
  const metrics = {
    slipwayStepMs: ssh / STEPS,
    addedSshStepMs: (ssh - emptyCore) / STEPS,
    floorStepMs: floor / STEPS,
    controlMasterStepMs: master / STEPS,
    overFloor: ssh / floor,
    coreMs: core,
    bareMs: bare,
    overBare: core / bare,
    addedCoreStepMs: addedCore,
    addedBareStepMs: addedBare,
    overBareStep: addedCore / addedBare,
    beginRecordMs: beginMs,
    succeedRecordMs: succeedMs,
    restStepMs: addedCore - addedBare - beginMs - succeedMs,
    emptyCoreMs: emptyCore,
    emptyBareMs: emptyBare,
  };
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, round(value)])) as Record<
    keyof typeof metrics,
    number
  >;
}

export function printFigures(samples: Samples, environment: Environment): void {
  const rows = [...samples].map(([name, all]) => [name, ...spread(all.map(({ ms }) => ms))]);
  const m = metricsOf(samples);
  const parts: [string, number][] = [
    ['bare Temporal: one more activity', m.addedBareStepMs],
    ['record of the begin: undo ledger, projection, line', m.beginRecordMs],
    ['record of the success: projection, line', m.succeedRecordMs],
    ['rest: interceptor, workflow code, larger history', m.restStepMs],
    ['one more step of an operation', m.addedCoreStepMs],
  ];
  printReport(
    [
      table([['whole runs, ms', 'p50', 'p95', 'min'], ...rows]),
      table([['a no-op step, ms', 'p50'], ...parts.map(([name, ms]) => [name, ms.toFixed(2)])]),
    ],
    environment,
    [
      `B1n: ${m.slipwayStepMs} ms per durable SSH step, start and end included (${m.addedSshStepMs} for one more);` +
        ` floor ${m.floorStepMs} by ssh2, ${m.controlMasterStepMs} by ControlMaster; aim 25`,
      `B3: ten no-op steps take ${m.overBare} × bare Temporal, one more step ${m.overBareStep} ×; aim 1.15.`,
      'Bare Temporal keeps its own history alone; an operation also records each step twice in Postgres, which',
      'survives the loss of Temporal: the undo ledger before each effect, and what lists and logs show.',
      '',
    ],
  );
}
