import { printReport, round as rounded, spread } from '../benchmark.js';
import type { Environment } from '../environment.js';
import { median, table } from '../figures.js';
import { HELD } from './held-operations.js';
import type { Start } from './starts.js';

/** MB of RAM by process; Postgres with its children, shared pages once */
export interface Memory {
  api: number;
  worker: number;
  bareWorker: number;
  temporal: number;
  postgres: number;
}

export interface Round {
  /** `npm start`, on a data directory that is there */
  single: Start;
  workerReadyMs: number;
  bareReadyMs: number;
  idle: Memory;
  holding: Memory;
}

const PARTS = ['api', 'worker', 'bareWorker', 'temporal', 'postgres'] as const;

/** `<part>IdleMb` and `<part>At50Mb`, and the milliseconds until ready. */
export function metricsOf(rounds: readonly Round[], cold: Start): Record<string, number> {
  const of = (pick: (round: Round) => number) => rounded(median(rounds.map(pick)), 1);
  const memory = PARTS.flatMap((part) => [
    [`${part}IdleMb`, of(({ idle }) => idle[part])],
    [`${part}At${HELD}Mb`, of(({ holding }) => holding[part])],
  ]);
  return {
    ...Object.fromEntries(memory),
    startReadyMs: of(({ single }) => single.readyMs),
    startColdMs: rounded(cold.readyMs, 1),
    startMb: of(({ single }) => single.mb),
    workerReadyMs: of(({ workerReadyMs }) => workerReadyMs),
    bareReadyMs: of(({ bareReadyMs }) => bareReadyMs),
  };
}

export function printFigures(rounds: readonly Round[], cold: Start, environment: Environment): void {
  const row = (name: string, pick: (round: Round) => number) => [name, ...spread(rounds.map(pick), 0)];
  const memory = PARTS.flatMap((part) => [
    row(`${part}, idle`, ({ idle }) => idle[part]),
    row(`${part}, ${HELD} operations holding`, ({ holding }) => holding[part]),
  ]);
  const starts = [
    row('npm start, warm: all of it, with Postgres and Temporal', ({ single }) => single.readyMs),
    row('worker process', ({ workerReadyMs }) => workerReadyMs),
    row('bare worker process', ({ bareReadyMs }) => bareReadyMs),
  ];
  printReport(
    [
      table([['memory, MB', 'p50', 'p95', 'min'], ...memory]),
      table([['from start to ready, ms', 'p50', 'p95', 'min'], ...starts]),
    ],
    environment,
    [
      `npm start is one process of ${median(rounds.map(({ single }) => single.mb)).toFixed(0)} MB right after it is ready;`,
      `its very first start took ${cold.readyMs.toFixed(0)} ms. npm's own time is not in it.`,
      'RSS; of Postgres with its children PSS. bareWorker: one workflow and one activity, as many of them waiting.',
      '',
    ],
  );
}
